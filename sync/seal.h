// SPDX-License-Identifier: Apache-2.0
// Heartbeats as datagrams: encoded, and sealed by AES-256-GCM.
//
//   0  4  "BSC" and the format, 1
//   4  4  cluster id       (big endian; so are the others)
//   8  4  key id
//  12  8  sender: first 8 bytes of SHA-256 of the node's name
//  20  8  salt: the nonce's first part, random, another one for each run and each 2^32 packets
//  28  4  counter: its second part
//  32  n  sealed protobuf (gossip.proto, Heartbeat); all before it is authenticated, too
//     16  tag
//
// Thread: one at a time; the heartbeat thread's, once it has them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sync/cluster_key.h"
#include "sync/heartbeat.h"

namespace bascule::sync {

inline constexpr std::size_t most_datagram = 1232;  // bytes: fits every path of IPv6

enum class Unopened {
    none,
    too_short,     // or too long, or not ours at all
    other_format,  // a later release's
    other_cluster,
    unknown_sender,  // no node of the configuration, or not the one at this address
    unknown_key,
    not_authentic,
    not_understood,  // authentic, and still no heartbeat: another release
    not_for_us,      // of this very node, or to another one
};
inline constexpr std::size_t unopened_reasons = 9;
const char* name_of(Unopened why);     // "not_authentic": a label of a metric
const char* meaning_of(Unopened why);  // one line for an operator

class HeartbeatSealer {
public:
    // Throws std::system_error when the kernel gives no random bytes.
    HeartbeatSealer(const ClusterKeys& keys, std::string cluster, std::string self);
    ~HeartbeatSealer();
    // The datagram; valid until the next call. Empty: does not fit most_datagram (a bug).
    std::span<const std::uint8_t> seal(const Heartbeat& heartbeat);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

class HeartbeatOpener {
public:
    HeartbeatOpener(const ClusterKeys& keys, std::string cluster, std::string self,
                    const std::vector<std::string>& peers);
    ~HeartbeatOpener();
    struct Opened {
        Unopened why = Unopened::none;
        std::size_t peer = 0;  // index into `peers`
        Heartbeat heartbeat;
    };
    // Costs one AEAD at most, whatever comes.
    Opened open(std::span<const std::uint8_t> datagram);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bascule::sync
