// SPDX-License-Identifier: Apache-2.0
// Four threads that insert, find, change and free sessions of a handful of sets, while a fifth
// sweeps: do key and value ever part? Ends early at the first mismatch.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace bascule::test {

struct HammerReport {
    std::uint64_t checked = 0;     // sessions read and compared
    std::uint64_t mismatches = 0;  // that had another's value
    std::uint64_t inserted = 0;
    std::uint64_t displaced = 0;  // of those, into the way of another session
    std::uint64_t lost = 0;       // claims that another thread won
    std::uint64_t freed = 0;
    std::uint64_t swept = 0;  // freed by the sweep
    std::string first_mismatch;
};

HammerReport hammer_v4(std::chrono::milliseconds duration);
HammerReport hammer_v6(std::chrono::milliseconds duration);

}  // namespace bascule::test
