// SPDX-License-Identifier: Apache-2.0
// The steps of a rotation: each safe to repeat, none out of its order.
#include "cli/key_rotation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace bascule::cli {
namespace {

using sync::ClusterKeys;
using Rotation = ClusterKeys::Rotation;

sync::SecretKey key_of(std::uint8_t byte) {
    sync::SecretKey key;
    key.fill(byte);
    return key;
}
const sync::SecretKey old_key = key_of(1), new_key = key_of(2);

ClusterKeys alone() {
    ClusterKeys keys;
    keys.ring.fill(7);
    keys.keys = {old_key};
    return keys;
}

ClusterKeys after(ClusterKeys keys, KeyStep step, bool changed = true) {
    const auto rotated = rotate_keys(keys, step, new_key);
    if (!rotated) {
        ADD_FAILURE() << rotated.error().text();
        return keys;
    }
    EXPECT_EQ(rotated->changed, changed) << rotated->said;
    EXPECT_EQ(rotated->keys == keys, !changed);
    EXPECT_EQ(rotated->keys.ring, keys.ring) << "never rotated";
    EXPECT_EQ(sync::parse_cluster_keys(sync::to_text(rotated->keys)), rotated->keys);
    return rotated->keys;
}

std::string refusal(const ClusterKeys& keys, KeyStep step) {
    const auto rotated = rotate_keys(keys, step, new_key);
    return rotated ? "" : rotated.error().text();
}

TEST(KeyRotation, ThreeStepsLeadFromOneKeyToTheOther) {
    ClusterKeys keys = after(alone(), KeyStep::add);
    EXPECT_EQ(keys.keys, (std::vector{old_key, new_key}));
    keys = after(keys, KeyStep::switch_to);
    EXPECT_EQ(keys.keys, (std::vector{new_key, old_key}));
    keys = after(keys, KeyStep::drop);
    EXPECT_EQ(keys.keys, std::vector{new_key});
    EXPECT_EQ(keys.rotation, Rotation::none);
}

TEST(KeyRotation, AStepThatWasDoneIsDone) {
    ClusterKeys keys = after(alone(), KeyStep::drop, false);
    keys = after(keys, KeyStep::add);
    keys = after(keys, KeyStep::add, false);
    keys = after(keys, KeyStep::switch_to);
    keys = after(keys, KeyStep::switch_to, false);
    keys = after(keys, KeyStep::drop);
    after(keys, KeyStep::drop, false);
}

TEST(KeyRotation, StepsComeInTheirOrder) {
    EXPECT_EQ(refusal(alone(), KeyStep::switch_to),
              "there is no new key yet: `--rotate add` comes first");
    const ClusterKeys added = after(alone(), KeyStep::add);
    EXPECT_EQ(refusal(added, KeyStep::drop), "the new key " + sync::fingerprint(new_key) +
                                                 " is not spoken by yet: `--rotate switch` comes "
                                                 "first");
    const ClusterKeys switched = after(added, KeyStep::switch_to);
    EXPECT_EQ(refusal(switched, KeyStep::add),
              "the last rotation is not at its end: the old key " + sync::fingerprint(old_key) +
                  " is still accepted; `--rotate drop` comes first");
}

// While the file goes from node to node some are a step ahead: they still understand each other.
TEST(KeyRotation, NodesAStepApartUnderstandEachOther) {
    const ClusterKeys begun = alone(), added = after(begun, KeyStep::add),
                      switched = after(added, KeyStep::switch_to),
                      ended = after(switched, KeyStep::drop);
    const auto hears = [](const ClusterKeys& one, const ClusterKeys& other) {
        return std::find(one.keys.begin(), one.keys.end(), other.keys[0]) != one.keys.end();
    };
    const ClusterKeys steps[] = {begun, added, switched, ended};
    for (std::size_t n = 0; n + 1 < std::size(steps); ++n) {
        EXPECT_TRUE(hears(steps[n], steps[n + 1])) << n;
        EXPECT_TRUE(hears(steps[n + 1], steps[n])) << n;
    }
    EXPECT_FALSE(hears(ended, begun));
}

TEST(KeyRotation, KeysPutInByHandAreNotGuessedAt) {
    ClusterKeys keys = alone();
    keys.keys.push_back(new_key);
    for (const KeyStep step : {KeyStep::add, KeyStep::switch_to, KeyStep::drop})
        EXPECT_EQ(refusal(keys, step),
                  "it has 2 keys and no saying which is new: write 'new' or 'old' behind one of "
                  "two, or take out what is not used");
    keys.keys.push_back(key_of(3));
    keys.rotation = Rotation::added;
    keys.marked = 1;
    EXPECT_NE(refusal(keys, KeyStep::switch_to), "");
}

TEST(KeyRotation, NothingSaidTellsASecret) {
    ClusterKeys keys = alone();
    for (const KeyStep step : {KeyStep::add, KeyStep::switch_to, KeyStep::drop}) {
        const auto rotated = rotate_keys(keys, step, new_key);
        ASSERT_TRUE(rotated);
        EXPECT_EQ(rotated->said.find("0101"), std::string::npos) << rotated->said;
        EXPECT_EQ(rotated->said.find("0202"), std::string::npos) << rotated->said;
        keys = rotated->keys;
    }
}

}  // namespace
}  // namespace bascule::cli
