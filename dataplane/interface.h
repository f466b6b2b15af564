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

// The refusal to an interface that carries someone else's program: what it is, how to take it off.
Error foreign_program(const std::string& name, std::uint32_t ifindex, const XdpOccupant& occupant);

}  // namespace bascule::dataplane
