// SPDX-License-Identifier: Apache-2.0
// What is checked: one backend of one service. Pure values.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/address.h"
#include "model/config.h"

namespace bascule::health {

using TargetName = std::pair<std::string, std::string>;  // service, backend

// Where a probe goes, once it is known; asked for before each.
struct Destination {
    Address address;         // to connect to; a made-up one on the true path
    std::uint16_t port = 0;  // host order; 0 for icmp
    Address source;          // to bind to before; unspecified: the kernel's choice

    bool operator==(const Destination&) const = default;
};

struct Target {
    TargetName name;
    model::HealthConfig health;
    model::Protocol protocol = model::Protocol::tcp;  // of the service: DNS goes by it
    Address vip;
    std::uint16_t vip_port = 0;  // host order; 0: a range or any, and none is named
    Address backend;             // its own address
    std::uint16_t backend_port = 0;

    bool operator==(const Target&) const = default;
};

}  // namespace bascule::health
