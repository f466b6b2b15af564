// SPDX-License-Identifier: Apache-2.0
// What packet_bench measures: which packets, to which service, in how many flows; and the tables
// that they meet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "delivery.h"
#include "model/tables.h"

namespace bascule::bench {

enum class Kind {
    hit,         // of a known session
    ring,        // of no session, and opening none
    fresh,       // opens a session
    dropped,     // refused at the door
    no_service,  // for a VIP: given to Linux
    other,       // for no VIP
};

struct Case {
    std::string name;
    test::Family family;
    Kind kind = Kind::hit;
    std::uint32_t flows = 1;  // 0: every packet is of a new one
    std::string mode = "l2";  // of the service that it is for
};

// The name of a case, as its place in tables and comparisons.
std::string hit_name(const test::Family& family, const std::string& mode, std::uint32_t flows);

// One service for each mode and family, each with several backends.
model::Desired tables();
std::vector<Case> cases(std::uint32_t many);
// How its packets get there. Modes are named as in cases().
test::Way way_of(const std::string& mode);

// The wrapper's template.
test::Bytes frame_of(const Case& measured);
// The same as a packet of the handshake: with these flags.
test::Bytes opening_of(const Case& measured, std::uint8_t flags, std::uint32_t sequence);

}  // namespace bascule::bench
