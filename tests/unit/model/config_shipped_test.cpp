// SPDX-License-Identifier: Apache-2.0
// The file that is installed, and the reference of its keys.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "model/config_notices.h"
#include "model/config_reference.h"
#include "tests/unit/model/config_text.h"

namespace bascule::model {
namespace {

using namespace testing;

std::string file_text(const std::string& path) {
    std::ifstream file(std::filesystem::path(BASCULE_SOURCE_DIR) / path, std::ios::binary);
    EXPECT_TRUE(file) << path;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

TEST(ShippedConfig, IsValid) {
    const Config config = good(file_text("etc/bascule.toml"));
    EXPECT_TRUE(config.vips.empty()) << "installing it announces nothing";
    EXPECT_TRUE(config.services.empty());
}

TEST(ShippedConfig, CommentedSettingsAreValidAndDefaults) {
    std::istringstream lines(file_text("etc/bascule.toml"));
    std::string text;
    for (std::string line; std::getline(lines, line);) {
        const bool is_setting = line.size() > 1 && line[0] == '#' && line[1] != ' ';
        text += (is_setting ? line.substr(1) : line) + '\n';
    }
    const Config config = good(text);
    NodeConfig node;
    node.name = "lb1";
    node.interfaces = {"eth0"};
    EXPECT_EQ(config.node, node);
    EXPECT_EQ(config.log, LogConfig{});
    ASSERT_TRUE(config.cluster);
    ASSERT_EQ(config.cluster->nodes.size(), 2u);
    ClusterConfig cluster;
    cluster.name = "edge";
    cluster.nodes = config.cluster->nodes;
    cluster.witness = config.cluster->witness;
    EXPECT_EQ(*config.cluster, cluster);
    EXPECT_EQ(config.cluster->nodes[1].priority, ClusterNodeConfig{}.priority);
    ASSERT_EQ(config.services.size(), 1u);
    ASSERT_EQ(config.services[0].backends.size(), 2u);
    EXPECT_EQ(config.services[0].backends[0].weight, BackendConfig{}.weight);
    const std::string minimal = with_service(backend_text);
    EXPECT_EQ(config.services[0].limits, good(minimal).services[0].limits);
    EXPECT_EQ(config.services[0].ring_size, ServiceConfig{}.ring_size);
    const HealthConfig& health = config.services[0].health;
    const HealthConfig usual;
    EXPECT_EQ(health.interval, usual.interval);
    EXPECT_EQ(health.fast_interval, usual.fast_interval);
    EXPECT_EQ(health.timeout, usual.timeout);
    EXPECT_EQ(health.rise, usual.rise);
    EXPECT_EQ(health.fall, usual.fall);
    EXPECT_EQ(health.flap_limit, usual.flap_limit);
    EXPECT_EQ(health.hold_down_most, usual.hold_down_most);
    EXPECT_EQ(health.body_limit, usual.body_limit);
    EXPECT_EQ(config.hook.timeout, HookConfig{}.timeout);
}

std::vector<std::filesystem::path> examples() {
    std::vector<std::filesystem::path> found;
    const std::filesystem::path folder(BASCULE_SOURCE_DIR "/etc/examples");
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        if (entry.path().extension() == ".toml")
            found.push_back("etc/examples" / entry.path().filename());
    return found;
}

TEST(ShippedConfig, ExamplesAreValid) {
    EXPECT_GE(examples().size(), 5u);
    for (const auto& path : examples()) {
        // A pair's file is the same on both: each takes itself for the node of its host name.
        for (const std::string host : {"lb1", "lb2"}) {
            const ParsedConfig parsed =
                parse_config({{path.string(), file_text(path.string())}}, host);
            for (const auto& error : parsed.errors)
                ADD_FAILURE() << error.to_string();
            ASSERT_TRUE(parsed.config);
            EXPECT_EQ(notices(*parsed.config), std::vector<std::string>()) << path;
            for (const ServiceConfig& service : parsed.config->services)
                EXPECT_NE(service.health.type, ProbeType::none) << path << ' ' << service.name;
        }
    }
}

TEST(ShippedConfig, ExamplesAreToldOfAndNoneElse) {
    const std::string readme = file_text("etc/examples/README");
    for (const auto& path : examples())
        EXPECT_NE(readme.find("\n  " + path.filename().string()), std::string::npos) << path;
    std::istringstream lines(readme);
    for (std::string line; std::getline(lines, line);) {
        const std::string word = line.substr(0, line.find(' ', 2));
        if (!word.starts_with("  ") || !word.ends_with(".toml")) continue;
        EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(BASCULE_SOURCE_DIR) /
                                            "etc/examples" / word.substr(2)))
            << line;
    }
}

TEST(ShippedConfig, NamesEveryKey) {
    const std::string text = file_text("etc/bascule.toml");
    for (const TableSchema& table : config_schema())
        for (const KeySchema& key : table.keys)
            EXPECT_TRUE(key.meaning.empty() || text.find(key.key) != std::string::npos)
                << table.path << ' ' << key.key;
}

TEST(Reference, IsPrintedFromTheSchema) {
    EXPECT_EQ(file_text("docs/reference/configuration.md"), config_reference())
        << "run config_reference > docs/reference/configuration.md";
    EXPECT_EQ(file_text("docs/man/bascule.toml.5"), config_man_page())
        << "run config_reference --man > docs/man/bascule.toml.5";
}

TEST(Reference, TheManualPageShowsAConfigurationThatIsValid) {
    const Config config = good(std::string(config_man_example()));
    EXPECT_EQ(config.services.size(), 1u);
    EXPECT_EQ(notices(config), std::vector<std::string>());
}

}  // namespace
}  // namespace bascule::model
