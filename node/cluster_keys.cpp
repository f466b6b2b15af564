// SPDX-License-Identifier: Apache-2.0
#include "node/cluster_keys.h"

#include <fmt/format.h>

#include <cstring>

namespace bascule::node {

namespace {

Error at_key_file(const model::ClusterConfig& cluster, const std::string& message) {
    const model::Origin& origin = cluster.key_origin;
    return Error(model::Diagnostic{origin.file, origin.line, origin.column, "key_file: " + message}
                     .to_string());
}

}  // namespace

std::array<std::uint64_t, 2> ring_words(const sync::RingSecret& secret) {
    std::array<std::uint64_t, 2> words{};
    static_assert(sizeof words == sizeof secret);
    std::memcpy(words.data(), secret.data(), sizeof words);
    return words;
}

Result<std::optional<sync::ClusterKeys>> read_keys(const model::Config& config) {
    if (!config.cluster) return std::optional<sync::ClusterKeys>();
    auto keys = sync::read_cluster_keys(config.cluster->key_file);
    if (!keys) return failure(at_key_file(*config.cluster, keys.error().text()));
    return std::optional(std::move(*keys));
}

Result<std::optional<sync::ClusterKeys>> keys_for(const model::Config& config,
                                                  const std::array<std::uint64_t, 2>& ring) {
    auto keys = read_keys(config);
    if (!keys || !*keys || ring_words((*keys)->ring) == ring) return keys;
    return failure(at_key_file(
        *config.cluster,
        fmt::format("{} has another ring secret than this node runs by. Restart basculed to take "
                    "it (flows without a session may change their backend), or make the key file "
                    "of this node's: bascule keygen --ring-from STATE_DIR/ring.key",
                    config.cluster->key_file)));
}

std::string in_words(const model::Config& config, const sync::ClusterKeys& keys) {
    std::string nodes;
    for (const auto& node : config.cluster->nodes)
        nodes += (nodes.empty() ? "" : ", ") + node.name;
    const std::size_t paths = config.cluster->nodes.front().addresses.size();
    const std::string others =
        keys.keys.size() == 1 ? "" : fmt::format(", one of {} accepted", keys.keys.size());
    return fmt::format("cluster {}: this is {} of {}; {} path{}; key {}{}", config.cluster->name,
                       config.node.name, nodes, paths, paths == 1 ? "" : "s",
                       sync::fingerprint(keys.keys.front()), others);
}

}  // namespace bascule::node
