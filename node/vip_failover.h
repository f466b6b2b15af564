// SPDX-License-Identifier: Apache-2.0
// `bascule failover`: the operator moves VIPs, and is told when they have moved, or why not.
// Thread: control.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "control/control.pb.h"
#include "node/daemon.h"

namespace bascule::node {

// Takes three seconds at most.
boost::asio::awaitable<control::Response> answer_failover(Daemon& daemon,
                                                          control::FailoverRequest ask);

}  // namespace bascule::node
