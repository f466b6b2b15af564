// SPDX-License-Identifier: Apache-2.0
// The walk of a traced packet in words: what the program noted, with the names of what it met.
//
// Pure: what has to be looked up is given. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/control.pb.h"
#include "dataplane/trace.h"

namespace bascule::node {

// What the notes' slots stand for.
struct TraceFacts {
    std::string destination;  // address that the packet was sent to
    std::uint16_t port = 0;   // and port
    bool vip_held = false;    // by this node; only when it is a VIP
    std::optional<control::Service> service;
    std::vector<control::Backend> backends;  // all of the service
    std::optional<control::Backend> backend;
    std::string session_backend;  // of the session that was found; empty: gone
    std::string in;               // interface
    std::string out;              // interface, when it would leave
};

// All of the answer but the frames.
control::Traced put_in_words(const dataplane::Traced& traced, const TraceFacts& facts);

}  // namespace bascule::node
