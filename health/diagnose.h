// SPDX-License-Identifier: Apache-2.0
// Why a probe by the VIP got no answer: asks the backend's own address, and then its host.
//
// Thread: that of the io_context.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "health/outcome.h"
#include "health/probe.h"
#include "health/target.h"

namespace bascule::health {

// `silent`: the outcome that timed out. The same with words that say what else was found, as far as
// it was: "no answer for the VIP, but 10.9.0.21:80 answers: is the VIP on its loopback, or does a
// firewall drop it?", "no answer, neither for the VIP nor on 10.9.0.21:80, though its host answers
// ping: a firewall drops it", "nothing answers, its host neither". Takes at most twice the target's
// timeout. `make` makes the two probes.
boost::asio::awaitable<Outcome> diagnose(boost::asio::io_context& io, ProbeResources& resources,
                                         const MakeProbe& make, Target target, Outcome silent);

}  // namespace bascule::health
