// SPDX-License-Identifier: Apache-2.0
#include "backend/status.h"

#include <gtest/gtest.h>

#include "backend/words.h"

namespace bascule::backend {
namespace {

constexpr const char* text =
    "[server]\ninterfaces = [\"eth0\"]\n[[vip]]\naddress = \"10.9.0.100\"\nforward = [\"l2\"]\n";

TEST(ConfigFile, IsComparedByWhatItSays) {
    const Config applied = parse_config("b.toml", text).config.value();
    EXPECT_EQ(compare_file("b.toml", text, applied), "");
    EXPECT_EQ(compare_file("b.toml", "# a word more\n" + std::string(text), applied), "");
    EXPECT_EQ(compare_file("b.toml", std::string(text) + "hold = false\n", applied),
              "b.toml was changed and is not applied yet, what is applied is shown");
    EXPECT_EQ(compare_file("b.toml", {}, applied),
              "b.toml is not there any more; what is applied is shown");
    const std::string broken = compare_file("b.toml", std::string(text) + "hold = 3\n", applied);
    EXPECT_EQ(broken.rfind("b.toml has errors and would be refused, what is applied is shown: "
                           "b.toml:6:",
                           0),
              0U)
        << broken;
    EXPECT_EQ(broken.find('\n'), std::string::npos) << broken;
}

TEST(Words, AreSaidInTheirNumber) {
    EXPECT_EQ(counted(0, "port"), "0 ports");
    EXPECT_EQ(counted(1, "port"), "1 port");
    EXPECT_EQ(counted(2, "VIP"), "2 VIPs");
}

}  // namespace
}  // namespace bascule::backend
