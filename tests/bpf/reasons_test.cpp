// SPDX-License-Identifier: Apache-2.0
// Every reason for a drop is met by some packet of this program: one that no packet can meet would
// be none, and one without a test is not known to work.
#include <gtest/gtest.h>

#include "engine.h"

namespace bascule::test {

namespace {

class EveryReason : public ::testing::Environment {
public:
    void TearDown() override {
        if (::testing::GTEST_FLAG(filter) != "*") return;  // some of the tests: some of the reasons
        const std::set<std::string>& met = Engine::ever_counted();
#define X(symbol, shown, text) \
    EXPECT_TRUE(met.contains(shown)) << "no packet was dropped for " shown;
        BSC_DROP_REASONS(X)
#undef X
    }
};

const ::testing::Environment* const every_reason =
    ::testing::AddGlobalTestEnvironment(new EveryReason);

}  // namespace

}  // namespace bascule::test
