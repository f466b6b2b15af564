// SPDX-License-Identifier: Apache-2.0
// Many servers for health_bench: two network namespaces joined by a veth pair. "Here" is where this
// process lives afterwards; "there" has tens of thousands of addresses, all answered by one
// process.
//
// The namespaces are held by descriptors only and the processes die with this one, so nothing is
// left, however it ends. Single-threaded; needs root.
#pragma once

#include <cstdint>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "bench/child.h"

namespace bascule::bench {

class HealthLab {
public:
    static constexpr std::uint16_t tcp_port = 80;     // accepts
    static constexpr std::uint16_t http_port = 8080;  // answers any request with 200
    static constexpr std::uint16_t https_port = 443;  // the same, one client after the other
    static constexpr std::uint32_t most_servers = 60'000;

    // Moves this process into the namespace "here".
    static Result<HealthLab> open();

    static Address address(std::uint32_t number);  // of a server
    static Address source();                       // of this side

private:
    HealthLab() = default;

    std::vector<Child> servers_;
};

}  // namespace bascule::bench
