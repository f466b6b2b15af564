// SPDX-License-Identifier: Apache-2.0
// `bascule doctor`: looks at this node, its host and its cluster, and says what ails it. By the
// daemon, or by a process of its own when no daemon answers (`basculed --doctor`). Thread: control.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "control/control.pb.h"
#include "node/daemon.h"

namespace bascule::node {

// It changes nothing. It takes a second at most, for the wire to answer for VIPs.
boost::asio::awaitable<control::DoctorReport> examine(const Daemon& daemon);

// The same from outside, with an io_context of its own: five seconds at most. Backends are asked
// for by ARP and neighbour discovery, as a daemon would.
control::DoctorReport examine(const Options& options);

}  // namespace bascule::node
