// SPDX-License-Identifier: Apache-2.0
// What the kernel says of a network interface and of the XDP program it carries.
#pragma once

#include <cstdint>
#include <string>

#include "base/address.h"
#include "base/result.h"

namespace bascule::dataplane {

// The error names the interface when there is none of that name.
Result<std::uint32_t> index_of_interface(const std::string& name);
// Interfaces may be renamed. `otherwise`: when there is none of that index here.
std::string name_of_interface(std::uint32_t ifindex, const std::string& otherwise);
Result<Mac> mac_of_interface(const std::string& name);

struct XdpOccupant {
    std::uint32_t program = 0;  // id; 0: none
    bool generic = false;
};
Result<XdpOccupant> xdp_occupant(const std::string& name, std::uint32_t ifindex);

// What can be told of it from outside.
struct XdpSeen {
    std::uint32_t program = 0;  // id; 0: none
    bool generic = false;
    bool ours = false;       // a pin below `bpffs` holds it there
    std::string name;        // empty: not allowed to know
    std::uint32_t link = 0;  // id of the link that holds it; 0: none, or not allowed to know
};
Result<XdpSeen> look_at_xdp(const std::string& name, std::uint32_t ifindex,
                            const std::string& bpffs);

// Whether bpf() may be called: makes a map that ends at once.
Result<void> try_bpf();

// The refusal to an interface that carries someone else's program: what it is, how to take it off.
Error foreign_program(const std::string& name, std::uint32_t ifindex, const XdpOccupant& occupant);

}  // namespace bascule::dataplane
