// SPDX-License-Identifier: Apache-2.0
// What is found wrong, or worth knowing, about this host's network: facts in, findings out. One
// finding a cause, however many services meet it. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bascule::node {

// A device that carries the program, and the VLAN interfaces above it that matter.
struct DeviceFacts {
    std::string name;
    bool strips_tags = false;        // takes 802.1Q tags off frames before XDP sees them
    std::vector<std::string> vlans;  // what needs the tags: "eth0.100 (VIP 10.9.0.100)"
};

// How the packets of a service get to one of its backends.
struct WayFacts {
    std::string service;
    std::string interface;          // that they leave by
    std::uint16_t mtu = 0;          // of the way, bytes
    std::uint16_t overhead = 0;     // of the tunnel, bytes; 0: none
    std::uint32_t arrival_mtu = 0;  // what clients' packets may have, bytes; 0: not known
};

// Backends of one family that packets are sent to by a route, as far as the kernel has told.
struct FamilyFacts {
    bool v6 = false;
    std::uint32_t backends = 0;
    std::uint32_t without_route = 0;       // the kernel has no route to them
    std::vector<std::string> addressless;  // up interfaces of [node] without an own address of it
};

struct Facts {
    std::vector<DeviceFacts> devices;
    std::vector<WayFacts> ways;
    std::vector<FamilyFacts> families;
};

struct Finding {
    enum class Level { problem, notice };  // wrong, or good to know
    Level level = Level::problem;
    std::string what;
    std::string mend;  // a command or a setting

    bool operator==(const Finding&) const = default;
};

std::vector<Finding> findings(const Facts& facts);

}  // namespace bascule::node
