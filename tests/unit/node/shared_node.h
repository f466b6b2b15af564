// SPDX-License-Identifier: Apache-2.0
// A node's shared state in a directory of its own, for tests; its wall clock is set by hand.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "node/shared_state.h"
#include "tests/unit/control/temporary_directory.h"

namespace bascule::node::testing {

inline constexpr sync::WallMilliseconds today = 1'763'000'000'000;
inline constexpr sync::WallMilliseconds hour = 3600 * 1000;
inline constexpr sync::WallMilliseconds day = 24 * hour;

inline std::string text_of(const std::string& path) {
    std::stringstream all;
    all << std::ifstream(path).rdbuf();
    return all.str();
}

inline sync::SharedItem item(const std::string& key, const std::string& value,
                             sync::HybridTime time, const std::string& origin = "lb2") {
    return {key, value, time, origin, false, 0};
}

class SharedTest : public ::testing::Test {
protected:
    std::unique_ptr<SharedState> load() { return load(folder_.path()); }
    std::unique_ptr<SharedState> load(const std::string& path, const std::string& self = "lb1") {
        auto state = SharedState::load(path, self, [this] { return wall_; });
        EXPECT_TRUE(state) << state.error().text();
        if (!state) throw std::runtime_error(state.error().text());
        return *std::move(state);
    }
    static std::string value(const SharedState& state, const std::string& key) {
        const auto* found = state.find(key);
        return found ? found->value : "(none)";
    }
    std::string file() const { return folder_.file("shared.json"); }
    // What load() says of a file with this text.
    std::string refusal(const std::string& of, const std::string& name = "shared.json") {
        std::ofstream(folder_.file(name)) << of;
        auto state = SharedState::load(folder_.path(), "lb1");
        EXPECT_EQ(text_of(folder_.file(name)), of) << "it is left as it is";
        return state ? "(was taken)" : state.error().text();
    }
    static std::string with_item(const std::string& fields) {
        return R"({"version": 1, "clock": "7.0", "forgotten": "0.0", "cluster": "", "items": [
                   {"key": "word/a/b", "value": "v", "time": "5.0", "origin": "lb1"},
                   {)" +
               fields + "}]}";
    }

    TemporaryDirectory folder_;
    sync::WallMilliseconds wall_ = today;
};

}  // namespace bascule::node::testing
