// SPDX-License-Identifier: Apache-2.0
// Keys for each use from the cluster's key: HKDF-SHA256 (RFC 5869), one label a use. Names of
// cluster and nodes go in with their lengths, so that no two uses can have the same input.
// Pure (OpenSSL); any thread. An OpenSSL that lacks what it takes: std::runtime_error.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sync/cluster_key.h"

namespace bascule::sync {

// Seals what `sender` says in heartbeats.
SecretKey heartbeat_key(const SecretKey& key, std::string_view cluster, std::string_view sender);
// The PSK of the stream between two nodes, whatever their order.
SecretKey stream_key(const SecretKey& key, std::string_view cluster, std::string_view one,
                     std::string_view other);
// Names a key on the wire without telling anything of it.
std::uint32_t key_id(const SecretKey& key);
// Names a cluster on the wire: tells a stranger's packets from those with a wrong key.
std::uint32_t cluster_id(std::string_view cluster);
// Names a node on the wire: first 8 bytes of SHA-256 of its name.
std::uint64_t node_id(std::string_view node);

// What all of them are made by: the first 32 bytes of HKDF-SHA256, extract and expand.
SecretKey hkdf_sha256(std::span<const std::uint8_t> secret, std::span<const std::uint8_t> salt,
                      std::span<const std::uint8_t> info);

}  // namespace bascule::sync
