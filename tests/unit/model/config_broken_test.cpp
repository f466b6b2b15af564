// SPDX-License-Identifier: Apache-2.0
// Files that are several, half, hostile or no TOML at all.
#include <gtest/gtest.h>

#include "tests/unit/model/config_full.h"
#include "tests/unit/model/config_text.h"

namespace bascule::model {
namespace {

using namespace testing;

TEST(Config, ReportIsBounded) {
    std::string text = node_text;
    for (int n = 0; n < 1000; ++n)
        text += "zz" + std::to_string(n) + " = 1\n";
    const ParsedConfig parsed = parse(text);
    ASSERT_EQ(parsed.errors.size(), 201u);
    EXPECT_EQ(parsed.errors.front().line, 3u);
    EXPECT_EQ(parsed.errors.back().to_string(), "… and 800 more errors");
}

TEST(Config, FilesAreMerged) {
    const ParsedConfig parsed =
        parse_config({{"a.toml", node_text + vip_text},
                      {"b.toml",
                       "[node]\nmax_sessions = 5000\n[[service]]\nname = \"web\"\n"
                       "vip = \"10.9.0.100\"\nport = 80\n" +
                           backend_text},
                      {"c.toml", "[[vip]]\naddress = \"10.9.0.101\"\ninterface = \"eth0\"\n"}},
                     "host");
    ASSERT_TRUE(parsed.config) << errors_text(parsed);
    EXPECT_EQ(parsed.config->vips.size(), 2u);
    EXPECT_EQ(parsed.config->services.size(), 1u);
    EXPECT_EQ(parsed.config->node.max_sessions, 5000u);
}

TEST(Config, KeySetInTwoFilesNamesBoth) {
    EXPECT_EQ(errors_text(parse_config({{"a.toml", node_text + "[log]\nlevel = \"info\"\n"},
                                        {"b.toml", "[log]\nlevel = \"info\"\n[[vip]]\nx = 1\n"}},
                                       "host")),
              "b.toml:2:1: 'level' of [log] is set already at a.toml:4\n"
              "b.toml:3:1: missing key 'address' in [[vip]]\n"
              "b.toml:3:1: missing key 'interface' in [[vip]]\n"
              "b.toml:4:1: unknown key 'x'\n");
}

TEST(Config, SyntaxErrorDoesNotHideOtherFiles) {
    EXPECT_EQ(
        errors_text(parse_config(
            {{"a.toml", "[node\n"},
             {"b.toml",
              "[[service]]\nname = \"web\"\nvip = \"10.9.0.100\"\nport = 0\n" + backend_text}},
            "host")),
        "a.toml:1:6: Error while parsing table header: expected ']', saw '\\n'\n"
        "b.toml:4:8: port: expected a port from 1 to 65535, a range such as \"8000-8099\", or "
        "\"any\", found the integer 0\n")
        << "nothing is said to be missing that the broken file may hold";
}

TEST(Config, ColumnsCountBytes) {
    expect_errors("node = { interfaces = [\"eth0\"], \"é\" = 1, x = 1 }\n",
                  {"a.toml:1:33: unknown key 'é'", "a.toml:1:43: unknown key 'x'"});
    expect_errors("\xef\xbb\xbf[node]\ninterfaces = [\"eth0\"]\n", {});
}

TEST(Config, HalfAFileNeverCrashes) {
    for (std::size_t length = 0; length <= full_text.size(); ++length) {
        const ParsedConfig parsed = parse(full_text.substr(0, length));
        ASSERT_NE(parsed.config.has_value(), !parsed.errors.empty()) << length;
        for (const Diagnostic& error : parsed.errors)
            ASSERT_FALSE(error.message.empty()) << length;
        ASSERT_TRUE(length < full_text.size() || parsed.config);
    }
}

TEST(Config, BytesOfAnyKindNeverCrash) {
    for (std::size_t at = 0; at < full_text.size(); at += 3)
        for (const char byte : {'\0', '\xff', '"', '[', '\n', '9'}) {
            std::string text = full_text;
            text[at] = byte;
            const ParsedConfig parsed = parse(text);
            ASSERT_NE(parsed.config.has_value(), !parsed.errors.empty()) << at;
        }
    EXPECT_FALSE(parse(std::string(100'000, '[')).config);
    EXPECT_FALSE(parse("x = " + std::string(100'000, '[')).config);
}

std::string repeated(std::string_view part, std::size_t count) {
    std::string text;
    for (std::size_t n = 0; n < count; ++n)
        text += part;
    return text;
}

TEST(Config, DeepNestingIsRefused) {
    const std::string deep = repeated("a.", 100'000) + "a";
    expect_errors(deep + " = 1\n", {"a.toml:1:130: a key of too many parts"});
    expect_errors("[" + deep + "]\n", {"a.toml:1:131: a key of too many parts"});
    // However the scan is led astray by quotes and hashes.
    for (const std::string start :
         {"\"#\".", "'\"'.", "x = \"\"\"\"\"\"\n", "x = \"\"\"a\"\"\"\"\"\n", "x = '''\\'''\n",
          "x = \"\\\"\"\n", "# \"\n", "x = \"\"\n", "x = ''\n", "x = {"})
        EXPECT_EQ(parse(start + deep + " = 1").errors.at(0).message, "a key of too many parts")
            << start;
    // Dots elsewhere are nobody's business.
    const std::string dots(1000, '.');
    EXPECT_TRUE(parse(node_text + "# " + dots + "\n").config);
    expect_errors(
        node_text + "x = \"" + dots + "\"\ny = '" + dots + "'\nz = '''\n" + dots + "\n'''''\n",
        {"a.toml:3:1: unknown key 'x'", "a.toml:4:1: unknown key 'y'",
         "a.toml:5:1: unknown key 'z'"});
}

}  // namespace
}  // namespace bascule::model
