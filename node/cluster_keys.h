// SPDX-License-Identifier: Apache-2.0
// The secrets that a configuration asks for. Reads files only. Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/config.h"
#include "sync/cluster_key.h"

namespace bascule::node {

// The two words that the data plane has of a ring secret.
std::array<std::uint64_t, 2> ring_words(const sync::RingSecret& secret);

// Those of the key file; none without a cluster. Errors say where the file is named:
// "bascule.toml:7:1: key_file: …".
Result<std::optional<sync::ClusterKeys>> read_keys(const model::Config& config);
// The same for a daemon whose data plane runs by `ring`, which cannot change while it runs.
Result<std::optional<sync::ClusterKeys>> keys_for(const model::Config& config,
                                                  const std::array<std::uint64_t, 2>& ring);
// Of a node with a cluster: "cluster edge: this is lb1 of lb1, lb2; 2 paths; key 2f6a91c0".
std::string in_words(const model::Config& config, const sync::ClusterKeys& keys);

}  // namespace bascule::node
