// SPDX-License-Identifier: Apache-2.0
#include "backend/config.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "backend/config_schema.h"
#include "backend/files.h"

namespace bascule::backend {
namespace {

constexpr const char* server = "[server]\ninterfaces = [\"eth0\"]\n";
constexpr const char* vip = "[[vip]]\naddress = \"10.9.0.100\"\nforward = [\"l2\"]\n";

std::vector<std::string> errors_of(const std::string& text) {
    std::vector<std::string> texts;
    for (const auto& error : parse_config("b.toml", text).errors)
        texts.push_back(error.to_string());
    return texts;
}

using Errors = std::vector<std::string>;

TEST(BackendConfig, ReadsEveryKey) {
    const auto parsed = parse_config("b.toml", R"(
[server]
interfaces = ["eth0", "eth1.100"]
balancers = ["10.9.0.11", "100.64.0.0/16", "fd00:9::11"]
gue_port = 6081
mss_clamp = 1300
persist = false
[[vip]]
address = "10.9.0.100/32"
forward = ["l2", "gue"]
[[vip.port]]
service = 25000
server = 25001
[[vip.port]]
protocol = "udp"
service = 25000
server = 25001
[[vip]]
address = "fd00:9::100"
forward = ["ipip", "local"]
hold = false
)");
    ASSERT_TRUE(parsed.config) << errors_of("").size();
    const Config& config = *parsed.config;
    EXPECT_EQ(config.interfaces, (std::vector<std::string>{"eth0", "eth1.100"}));
    ASSERT_EQ(config.balancers.size(), 3U);
    EXPECT_EQ(config.balancers[0].to_string(), "10.9.0.11");
    EXPECT_EQ(config.balancers[1].to_string(), "100.64.0.0/16");
    EXPECT_EQ(config.balancers[2].to_string(), "fd00:9::11");
    EXPECT_EQ(config.gue_port, 6081);
    EXPECT_EQ(config.mss_clamp, (MssClamp{false, 1300}));
    EXPECT_FALSE(config.persist);
    ASSERT_EQ(config.vips.size(), 2U);
    EXPECT_EQ(config.vips[0].modes.to_string(), "l2, gue");
    EXPECT_TRUE(config.vips[0].hold);
    EXPECT_EQ(config.vips[0].ports, (std::vector<PortPair>{{Protocol::tcp, 25000, 25001},
                                                           {Protocol::udp, 25000, 25001}}));
    EXPECT_EQ(config.vips[1].modes.to_string(), "ipip, local");
    EXPECT_FALSE(config.vips[1].hold);
    // An IPv6 balancer's tunnel is the larger one.
    EXPECT_EQ(config.overhead_of(config.vips[0]), 48);
    EXPECT_EQ(config.overhead_of(config.vips[1]), 40);
}

TEST(BackendConfig, HasDefaults) {
    const auto parsed = parse_config("b.toml", std::string(server) + vip);
    ASSERT_TRUE(parsed.config);
    EXPECT_EQ(parsed.config->gue_port, 6080);
    EXPECT_EQ(parsed.config->mss_clamp, MssClamp{});
    EXPECT_TRUE(parsed.config->persist);
    EXPECT_TRUE(parsed.config->vips[0].hold);
    EXPECT_FALSE(parsed.config->has_tunnels());
    EXPECT_FALSE(parsed.config->needs_restore());
}

TEST(BackendConfig, TellsAllErrorsInOneGo) {
    EXPECT_EQ(
        errors_of(R"([server]
interfaces = ["eth0", "eth0"]
balancers = ["10.9.0.11", "10.9.0.0.1", "10.9.0.11/24", "0.0.0.0/0"]
gue_port = 70000
mss_clamp = "on"
persit = false
[[vip]]
addres = "10.9.0.100"
forward = ["l2", "ipop"]
[[vip]]
address = "127.0.0.1"
forward = []
[[vip.port]]
service = 80
server = 8080
[[vip.port]]
service = 81
server = 8080
)"),
        (Errors{
            "b.toml:2:23: interfaces: 'eth0' is named already at b.toml:2",
            "b.toml:3:27: balancers: expected an IPv4 or IPv6 address or prefix, found the "
            "string '10.9.0.0.1'",
            "b.toml:3:41: balancers: '10.9.0.11/24' has bits beyond its prefix length, did "
            "you mean '10.9.0.0/24'?",
            "b.toml:3:57: balancers: '0.0.0.0/0' would let anybody send packets past this "
            "host's firewall",
            "b.toml:4:12: gue_port: expected an integer from 1 to 65535, found the integer "
            "70000",
            "b.toml:5:13: mss_clamp: expected \"auto\", 0 (off) or an integer from 88 to "
            "65475, found the string 'on'",
            "b.toml:6:1: unknown key 'persit', did you mean 'persist'?",
            "b.toml:7:1: missing key 'address' in [[vip]]",
            "b.toml:8:1: unknown key 'addres', did you mean 'address'?",
            "b.toml:9:18: forward: expected \"l2\", \"ipip\", \"gue\" or \"local\", found the "
            "string 'ipop'",
            "b.toml:11:11: address: 127.0.0.1 cannot be a VIP: clients have to reach it",
            "b.toml:12:11: forward: expected how packets arrive, found nothing",
            "b.toml:18:10: server: tcp port 8080 of this VIP is told already at b.toml:15",
        }));
}

TEST(BackendConfig, ATunnelNeedsBalancers) {
    EXPECT_EQ(
        errors_of(std::string(server) + "[[vip]]\naddress = \"10.9.0.100\"\nforward = [\"gue\"]\n"),
        (Errors{"b.toml:5:11: forward: \"gue\" needs the addresses that the tunnels come from: "
                "set 'balancers' in [server]"}));
}

TEST(BackendConfig, AVipIsNoBalancer) {
    EXPECT_EQ(errors_of("[server]\ninterfaces = [\"eth0\"]\nbalancers = [\"10.9.0.100\"]\n"
                        "[[vip]]\naddress = \"10.9.0.100\"\nforward = [\"ipip\"]\n"),
              (Errors{"b.toml:3:14: balancers: 10.9.0.100 is a VIP, which no tunnel comes from"}));
}

TEST(BackendConfig, MissingSections) {
    EXPECT_EQ(errors_of(""),
              (Errors{"b.toml: missing table [server]", "b.toml: missing [[vip]], one at least"}));
    EXPECT_EQ(errors_of(std::string("vip = []\n") + server),
              Errors{"b.toml:1:7: missing [[vip]], one at least"});
}

TEST(BackendConfig, WrongKindsOfValues) {
    EXPECT_EQ(errors_of("server = 1\nvip = \"x\"\n"),
              (Errors{"b.toml:1:10: server: expected a table, [server], found the integer 1",
                      "b.toml:2:7: vip: expected an array of tables, [[vip]], found the string "
                      "'x'"}));
    EXPECT_EQ(
        errors_of(std::string("[server]\ninterfaces = [\"eth0\"]\nbalancers = \"x\"\n") + vip),
        (Errors{"b.toml:3:13: balancers: expected an array such as [\"192.0.2.11\", "
                "\"2001:db8::/64\"], found the string 'x'"}));
}

TEST(BackendConfig, ASyntaxErrorHidesNothingElse) {
    const auto errors = errors_of(std::string(server) + "[[vip]\n");
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_EQ(errors[0].rfind("b.toml:3:", 0), 0U) << errors[0];
}

TEST(BackendConfig, TheSameVipTwice) {
    EXPECT_EQ(errors_of(std::string(server) + vip + vip),
              (Errors{"b.toml:7:11: address: the VIP 10.9.0.100 is there already at b.toml:4"}));
}

std::string shipped(const char* file) {
    return read_file(std::string(BASCULE_SOURCE_DIR) + file).value().value_or("");
}

TEST(BackendConfig, TheShippedFileIsValidOnceItsExampleIsTaken) {
    std::string text;
    const std::string file = shipped("/etc/backend.toml");
    for (std::size_t at = 0; at < file.size();) {
        const std::size_t end = std::min(file.find('\n', at), file.size());
        std::string line = file.substr(at, end - at);
        // A setting is commented out without a space.
        if (line.size() > 1 && line[0] == '#' && line[1] != ' ') line.erase(0, 1);
        text += line + "\n";
        at = end + 1;
    }
    EXPECT_EQ(errors_of(text), Errors{});
    for (const std::string& key : config_keys())
        EXPECT_NE(text.find("\n" + key.substr(key.rfind('.') + 1) + " = "), std::string::npos)
            << key;
}

TEST(BackendConfig, ShippedExamplesAreValid) {
    const std::filesystem::path folder(BASCULE_SOURCE_DIR "/etc/examples/backend");
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        EXPECT_EQ(errors_of(shipped(("/etc/examples/backend/" + name).c_str())), Errors{}) << name;
        EXPECT_NE(shipped("/etc/examples/README").find(name), std::string::npos) << name;
        ++count;
    }
    EXPECT_GE(count, 3U);
}

TEST(BackendConfig, TheReferenceAndTheManualPageArePrintedFromTheSchema) {
    EXPECT_NE(shipped("/docs/reference/backend.md").find(config_reference() + "<!-- -->\n"),
              std::string::npos)
        << "paste what backend_reference prints:\n"
        << config_reference();
    EXPECT_EQ(shipped("/docs/man/bascule-backend.toml.5"), config_man_page())
        << "run backend_reference --man > docs/man/bascule-backend.toml.5";
    EXPECT_EQ(errors_of(std::string(config_man_example())), Errors{});
}

TEST(BackendConfig, EveryKeyHasItsMeaning) {
    for (const auto* table : config_schema())
        for (const auto& key : table->keys)
            EXPECT_EQ(key.meaning.empty(), key.type == model::KeyType::tables) << key.key;
}

}  // namespace
}  // namespace bascule::backend
