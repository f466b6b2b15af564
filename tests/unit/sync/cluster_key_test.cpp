// SPDX-License-Identifier: Apache-2.0
#include "sync/cluster_key.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include "tests/unit/control/temporary_directory.h"

namespace bascule::sync {
namespace {

using Rotation = ClusterKeys::Rotation;

std::string digits(char one, std::size_t count) {
    return std::string(count, one);
}
const std::string ring_line = "ring " + digits('a', 32) + "\n";
const std::string key_line = "key " + digits('1', 64) + "\n";
const std::string second_line = "key " + digits('2', 64) + "\n";

std::string error_of(const std::string& text) {
    const auto keys = parse_cluster_keys(text);
    return keys ? "" : keys.error().text();
}

TEST(ClusterKey, TextIsReadBack) {
    auto keys = make_cluster_keys();
    ASSERT_TRUE(keys);
    EXPECT_EQ(keys->keys.size(), 1u);
    EXPECT_EQ(parse_cluster_keys(to_text(*keys)), *keys);
    keys->keys.push_back(*make_secret_key());
    for (const Rotation rotation : {Rotation::none, Rotation::added, Rotation::switched}) {
        keys->rotation = rotation;
        keys->marked = rotation == Rotation::none ? 0 : 1;
        EXPECT_EQ(parse_cluster_keys(to_text(*keys)), *keys);
    }
}

TEST(ClusterKey, EveryMadeOneIsAnother) {
    std::set<SecretKey> keys;
    std::set<RingSecret> rings;
    for (int n = 0; n < 100; ++n) {
        const auto made = make_cluster_keys();
        ASSERT_TRUE(made);
        keys.insert(made->keys.at(0));
        rings.insert(made->ring);
    }
    EXPECT_EQ(keys.size(), 100u);
    EXPECT_EQ(rings.size(), 100u);
}

TEST(ClusterKey, TheFirstKeyIsSpokenByAndSpacesDoNotMatter) {
    const auto keys = parse_cluster_keys("# a comment\r\n\n" + key_line + "  ring\t" +
                                         digits('A', 32) + "  \r\n" + "key " + digits('2', 64));
    ASSERT_TRUE(keys) << keys.error().text();
    ASSERT_EQ(keys->keys.size(), 2u);
    EXPECT_EQ(keys->keys[0][0], 0x11);
    EXPECT_EQ(keys->keys[1][31], 0x22);
    EXPECT_EQ(keys->ring[0], 0xaa);
    EXPECT_EQ(keys->rotation, Rotation::none);
}

TEST(ClusterKey, ErrorsSayTheLine) {
    EXPECT_EQ(error_of(""), "no line begins with 'ring'");
    EXPECT_EQ(error_of(ring_line), "no line begins with 'key'");
    EXPECT_EQ(error_of(key_line), "no line begins with 'ring'");
    EXPECT_EQ(error_of(ring_line + "\nkey " + digits('1', 63)),
              "line 3: a key has 64 hex digits, here are 63");
    EXPECT_EQ(error_of("ring " + digits('1', 33)),
              "line 1: a ring secret has 32 hex digits, here are 33");
    EXPECT_EQ(error_of(ring_line + "key"), "line 2: nothing follows 'key'");
    EXPECT_EQ(error_of("ring " + digits('a', 32) + " new"),
              "line 1: something follows the ring secret");
    EXPECT_EQ(error_of("keys " + digits('a', 32)),
              "line 1: expected 'ring', 'key' or '#' at its beginning");
    EXPECT_EQ(error_of(ring_line + ring_line + key_line),
              "line 2: a second ring secret; a cluster has one, for ever");
    EXPECT_EQ(error_of(ring_line + key_line + key_line), "line 3: this key is there already");
    EXPECT_EQ(error_of(ring_line + "key " + digits('0', 64)),
              "line 2: a key of zeros alone is no secret");
    EXPECT_EQ(error_of(ring_line + key_line + second_line + "key " + digits('3', 64) + "\nkey " +
                       digits('4', 64)),
              "line 5: a key too many; at most 3 are possible");
}

TEST(ClusterKey, ErrorsNameTheCharacterAndNoSecret) {
    for (std::size_t at : {0u, 1u, 30u, 63u}) {
        std::string wrong = digits('7', 64);
        wrong[at] = 'g';
        EXPECT_EQ(
            error_of(ring_line + "key " + wrong),
            "line 2: a key has hex digits, its character " + std::to_string(at + 1) + " is none");
    }
    for (const char sign : {'-', '+'}) {
        std::string wrong = digits('7', 64);
        wrong[10] = sign;
        EXPECT_NE(error_of(ring_line + "key " + wrong), "");
    }
}

TEST(ClusterKey, MarksOfARotation) {
    const std::string second = "key " + digits('2', 64);
    auto keys = parse_cluster_keys(ring_line + key_line + second + " new\n");
    ASSERT_TRUE(keys);
    EXPECT_EQ(keys->rotation, Rotation::added);
    EXPECT_EQ(keys->marked, 1u);
    keys = parse_cluster_keys(ring_line + key_line + second + " old\n");
    ASSERT_TRUE(keys);
    EXPECT_EQ(keys->rotation, Rotation::switched);
    EXPECT_EQ(error_of(ring_line + second + " new\n" + key_line),
              "line 2: the first key is the one that is spoken by, neither 'new' nor 'old'");
    EXPECT_EQ(error_of(ring_line + key_line + second + " newer"),
              "line 3: only 'new' or 'old' may follow a key");
    EXPECT_EQ(error_of(ring_line + key_line + second + " new old"),
              "line 3: only 'new' or 'old' may follow a key");
    EXPECT_EQ(error_of(ring_line + key_line + second + " new\nkey " + digits('3', 64) + " old"),
              "line 4: a second key that is 'new' or 'old'; a rotation has one");
}

TEST(ClusterKey, AnyBytesAreAnErrorAndNoCrash) {
    const std::string good = ring_line + key_line + "key " + digits('2', 64) + " new\n";
    for (std::size_t at = 0; at < good.size(); ++at) {
        (void)parse_cluster_keys(good.substr(0, at));
        for (const char byte : {'\0', '\xff', '\n', ' ', '#', 'x'}) {
            std::string text = good;
            text[at] = byte;
            (void)parse_cluster_keys(text);
        }
    }
    EXPECT_FALSE(parse_cluster_keys(std::string(4096, '\0')));
}

TEST(ClusterKey, FingerprintIsTheBeginningOfASha256) {
    SecretKey key{};  // sha256 of 32 zero bytes
    EXPECT_EQ(fingerprint(key), "66687aad");
    key[31] = 1;
    EXPECT_NE(fingerprint(key), "66687aad");
}

class ClusterKeyFile : public ::testing::Test {
protected:
    void write(const std::string& text, mode_t mode) {
        std::ofstream(path_) << text;
        ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
    }
    std::string error() {
        const auto keys = read_cluster_keys(path_);
        std::string text = keys ? "" : keys.error().text();
        for (std::size_t at; (at = text.find(path_)) != std::string::npos;)
            text.replace(at, path_.size(), "@");
        return text;
    }

    TemporaryDirectory folder_;
    std::string path_ = folder_.file("cluster.key");
};

TEST_F(ClusterKeyFile, IsRead) {
    write(ring_line + key_line, 0600);
    EXPECT_EQ(error(), "");
    write(ring_line + key_line, 0400);
    EXPECT_EQ(error(), "");
}

TEST_F(ClusterKeyFile, OthersMayNot) {
    for (const mode_t mode : {0640, 0604, 0620, 0602, 0610}) {
        write(ring_line + key_line, mode);
        char octal[8];
        std::snprintf(octal, sizeof octal, "%o", mode);
        EXPECT_EQ(error(), "@: others may read or change it (mode " + std::string(octal) +
                               "): chmod 600 @, and when they may have read it, rotate the key");
    }
}

TEST_F(ClusterKeyFile, IsAFileOfASaneSize) {
    EXPECT_EQ(error(),
              "@: there is no such file: on the first node make it with `bascule keygen @`, on the "
              "others copy it from there");
    ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
    EXPECT_EQ(error(), "@: is not a regular file");
    ASSERT_EQ(::rmdir(path_.c_str()), 0);
    ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    EXPECT_EQ(error(), "@: is not a regular file");
    ASSERT_EQ(::unlink(path_.c_str()), 0);
    write(ring_line + key_line + std::string(5000, '\n'), 0600);
    EXPECT_EQ(error(), "@: has 5107 bytes; a key file has at most 4096");
    write("", 0600);
    EXPECT_EQ(error(), "@: no line begins with 'ring'");
    write(ring_line + "key 00\n", 0600);
    EXPECT_EQ(error(), "@: line 2: a key has 64 hex digits, here are 2");
}

TEST_F(ClusterKeyFile, BelongsToRootOrToWhoReadsIt) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
    write(ring_line + key_line, 0600);
    ASSERT_EQ(::chown(path_.c_str(), 12345, 12345), 0);
    EXPECT_EQ(error(),
              "@: belongs to user 12345, not to root or to user 0, whom this program runs as: "
              "chown root @");
}

}  // namespace
}  // namespace bascule::sync
