// SPDX-License-Identifier: Apache-2.0
#include "node/cluster_keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/unit/control/temporary_directory.h"
#include "tests/unit/node/config_text.h"

namespace bascule::node {
namespace {

using namespace testing;

class ClusterKeysTest : public ::testing::Test {
protected:
    model::Config config() const {
        return config_of(head_text() + cluster_text(100, 100, "key_file = \"" + path_ + "\"\n"));
    }
    void write(const std::string& text, mode_t mode = 0600) const {
        std::ofstream(path_) << text;
        ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
    }

    TemporaryDirectory folder_;
    std::string path_ = folder_.path() + "/cluster.key";
};

TEST_F(ClusterKeysTest, ANodeByItselfHasNone) {
    const auto keys = read_keys(config_of(head_text()));
    ASSERT_TRUE(keys);
    EXPECT_FALSE(*keys);
    EXPECT_TRUE(keys_for(config_of(head_text()), {1, 2}));
}

TEST_F(ClusterKeysTest, AreThoseOfTheFile) {
    const auto made = sync::make_cluster_keys();
    ASSERT_TRUE(made);
    write(to_text(*made));
    const auto read = read_keys(config());
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(*read, *made);
    EXPECT_TRUE(keys_for(config(), ring_words(made->ring)));
}

TEST_F(ClusterKeysTest, AndTheClusterAreToldInALine) {
    auto keys = *sync::make_cluster_keys();
    const std::string key = sync::fingerprint(keys.keys[0]);
    EXPECT_EQ(in_words(config(), keys),
              "cluster edge: this is lb1 of lb1, lb2; 1 path; key " + key);
    auto two_paths = config();
    for (auto& node : two_paths.cluster->nodes)
        node.addresses.push_back(node.addresses.front());
    keys.keys.push_back(*sync::make_secret_key());
    EXPECT_EQ(in_words(two_paths, keys),
              "cluster edge: this is lb1 of lb1, lb2; 2 paths; key " + key + ", one of 2 accepted");
}

// Rings of a data plane that runs do not change under it.
TEST_F(ClusterKeysTest, AnotherRingSecretIsRefusedWhileItRuns) {
    const auto made = sync::make_cluster_keys();
    write(to_text(*made));
    auto other = ring_words(made->ring);
    other[1] ^= 1;
    const auto refused = keys_for(config(), other);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text().find("test.toml:8:12: key_file: "), 0U)
        << refused.error().text();
    EXPECT_NE(refused.error().text().find("another ring secret"), std::string::npos);
}

TEST_F(ClusterKeysTest, ErrorsSayWhereTheFileIsNamed) {
    const auto missing = read_keys(config());
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().text().find("test.toml:8:12: key_file: "), 0U)
        << missing.error().text();
    write(to_text(*sync::make_cluster_keys()), 0644);
    const auto open = read_keys(config());
    ASSERT_FALSE(open);
    EXPECT_NE(open.error().text().find("chmod 600"), std::string::npos) << open.error().text();
}

TEST(RingWords, AreTheBytesInFileOrder) {
    sync::RingSecret secret{};
    for (std::size_t i = 0; i < secret.size(); i++)
        secret[i] = static_cast<std::uint8_t>(i);
    EXPECT_EQ(ring_words(secret),
              (std::array<std::uint64_t, 2>{0x0706050403020100, 0x0f0e0d0c0b0a0908}));
}

}  // namespace
}  // namespace bascule::node
