// SPDX-License-Identifier: Apache-2.0
// Datagrams as sync/seal.h describes them, around any bytes: what HeartbeatSealer would never make.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "sync/gcm.h"
#include "sync/key_schedule.h"

namespace bascule::sync {

using Datagram = std::vector<std::uint8_t>;

inline void append_number(Datagram& out, std::uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        out.push_back(static_cast<std::uint8_t>(value >> shift));
}

class Sealing {
public:
    Sealing(const SecretKey& key, std::string_view cluster, std::string_view sender)
        : cipher_(heartbeat_key(key, cluster, sender), Gcm::Way::seal) {
        append_number(header_, cluster_id(cluster), 4);
        append_number(header_, key_id(key), 4);
        append_number(header_, node_id(sender), 8);
        append_number(header_, 0x1122334455667788, 8);
        append_number(header_, 0, 4);
    }
    Datagram seal(std::span<const std::uint8_t> plain) {
        GcmNonce nonce;
        std::copy_n(header_.begin() + 20, nonce.size(), nonce.begin());
        Datagram out = header_;
        out.resize(header_.size() + plain.size() + gcm_tag);
        cipher_.seal(nonce, header_, plain, out.data() + header_.size());
        return out;
    }

private:
    Datagram header_{'B', 'S', 'C', 1};
    Gcm cipher_;
};

inline Datagram sealed(const SecretKey& key, std::string_view cluster, std::string_view sender,
                       std::span<const std::uint8_t> plain) {
    return Sealing(key, cluster, sender).seal(plain);
}

}  // namespace bascule::sync
