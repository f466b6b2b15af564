// SPDX-License-Identifier: Apache-2.0
// The key file of a cluster: the secrets that its nodes share, made by `bascule keygen`.
//
// A text of lines; empty ones and those that begin with # are skipped:
//   ring 32 hex digits     keys the choice of backends; the same for ever (dataplane.md: never
//   rotated) key  64 hex digits     the first is the one that this node speaks by; all of them are
//   accepted
// Rotation, on every node before the next step: add a second key, marked "new" behind it; make it
// the first, the other one is "old" now; drop the old. The marks make each step safe to repeat.
//
// Pure; any thread. Secrets are wiped when their owner goes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace bascule::sync {

using SecretKey = std::array<std::uint8_t, 32>;
using RingSecret = std::array<std::uint8_t, 16>;

inline constexpr std::size_t most_cluster_keys = 3;

struct ClusterKeys {
    RingSecret ring{};
    std::vector<SecretKey> keys;  // 1 to most_cluster_keys, all different; keys[0] is spoken by

    enum class Rotation { none, added, switched };
    Rotation rotation = Rotation::none;
    std::size_t marked = 0;  // the key that is new or old; never the first

    ClusterKeys() = default;
    ClusterKeys(const ClusterKeys&) = default;
    ClusterKeys(ClusterKeys&&) = default;
    ClusterKeys& operator=(const ClusterKeys&) = default;
    ClusterKeys& operator=(ClusterKeys&&) = default;
    ~ClusterKeys();

    bool operator==(const ClusterKeys&) const = default;
};

// Errors say the line ("line 3: a key has 64 hex digits, here are 63") and never quote a secret.
Result<ClusterKeys> parse_cluster_keys(std::string_view text);
// The file's text, with comments that say what it is and how it is rotated.
std::string to_text(const ClusterKeys& keys);
// Fresh secrets of the kernel's generator.
Result<ClusterKeys> make_cluster_keys();
Result<SecretKey> make_secret_key();
// What may be shown of a key: the first 8 hex digits of its SHA-256.
std::string fingerprint(const SecretKey& key);

// Reads a key file. Refused: not a regular file, another owner than root or this process's user,
// any permission for group or others, more than 4096 bytes, and what parse_cluster_keys refuses.
// Errors name the file and say the command that mends ("chmod 600 /etc/bascule/cluster.key").
Result<ClusterKeys> read_cluster_keys(const std::string& path);

}  // namespace bascule::sync
