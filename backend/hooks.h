// SPDX-License-Identifier: Apache-2.0
// The places where a server's programs hang: XDP by a pinned link, egress by a tc filter. Both
// outlive the process, and both are swapped in place, without a packet between.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace bascule::backend {

// ---- XDP ----

struct XdpHook {
    bool generic = false;
    std::string warning;  // why it is generic
};

// Where the link of an interface is pinned, in the directory `pins`.
std::string xdp_pin(const std::string& pins, const std::string& interface);
// Whether a name in that directory is of this program.
bool is_own_pin(const std::string& name);

// An error when the interface carries an XDP program that is not under our pin; it names it.
Result<void> check_xdp(const std::string& pin, const std::string& interface, std::uint32_t ifindex);
// Swaps the program under the pinned link, or makes a link: native, else generic with a warning.
Result<XdpHook> put_xdp(const std::string& pin, const std::string& interface, std::uint32_t ifindex,
                        int program);
// No error when there is none.
Result<void> remove_xdp(const std::string& pin);
// Id of the program that runs under the pin on this interface; 0: none.
std::uint32_t xdp_program(const std::string& pin, std::uint32_t ifindex);

// ---- tc egress ----

// Makes the clsact qdisc. False: it was there.
Result<bool> make_clsact(const std::string& interface, std::uint32_t ifindex);
Result<void> remove_clsact(std::uint32_t ifindex);

// Swaps the program in our filter, or makes one, at the first priority that is free of other kinds
// of filters.
Result<void> put_filter(const std::string& interface, std::uint32_t ifindex, int program);
// No error when there is none of ours.
Result<void> remove_filter(std::uint32_t ifindex);
// Id of our program on the interface; 0: there is none.
std::uint32_t filter_program(std::uint32_t ifindex);

}  // namespace bascule::backend
