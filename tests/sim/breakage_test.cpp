// SPDX-License-Identifier: Apache-2.0
// A judge that never complains proves nothing: each way to break a mechanism
// from outside has to be found within so many histories.
#include <gtest/gtest.h>

#include <iostream>
#include <sstream>

#include "sim/world.h"

namespace bascule::sim {
namespace {

class Broken : public testing::TestWithParam<Breakage> {};

// Nothing: all holds.
std::string violation(const Plan& plan) {
    try {
        World(plan).run();
    } catch (const Violation& violation) {
        return violation.what();
    }
    return {};
}

TEST_P(Broken, IsFound) {
    constexpr std::uint64_t histories = 6000;
    for (std::uint64_t seed = 1; seed <= histories; ++seed) {
        Plan plan = make_plan(seed, GetParam());
        const std::string found = violation(plan);
        plan.breakage = Breakage::none;
        // Of what is not broken nothing may be found.
        if (found.empty() || !violation(plan).empty()) continue;
        std::cout << "found by seed " << seed << ": " << found << "\n";
        return;
    }
    FAIL() << "not found in " << histories << " histories";
}

INSTANTIATE_TEST_SUITE_P(EachWay, Broken, testing::ValuesIn(all_breakages()),
                         [](const auto& broken) {
                             std::string name = name_of(broken.param);
                             std::erase(name, '-');
                             return name;
                         });

TEST(History, IsTheSameAgainForTheSameSeed) {
    for (const std::uint64_t seed : {3U, 17U, 99U}) {
        std::ostringstream first, second;
        World(make_plan(seed), &first).run();
        World(make_plan(seed), &second).run();
        EXPECT_EQ(first.str(), second.str());
        EXPECT_GT(first.str().size(), 1000U);
    }
}

}  // namespace
}  // namespace bascule::sim
