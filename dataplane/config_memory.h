// SPDX-License-Identifier: Apache-2.0
// The config maps as mapped, and how their fields and the model's values translate.
#pragma once

#include <arpa/inet.h>

#include <cstring>
#include <span>

#include "base/address.h"
#include "bpf/lookup.h"
#include "model/config.h"

namespace bascule::dataplane {

struct ConfigMemory {
    std::span<bsc_vip_bucket> vips;
    std::span<__u64> vip_states;  // by VIP id
    std::span<bsc_service_bucket> service_words;
    std::span<bsc_service> services;
    std::span<bsc_backend> backends;
    int rings = -1;   // map of maps: by system calls
    int egress = -1;  // device map: by system calls
};

// The two words as which an address stands in packets and tables; IPv4 v4-mapped.
struct AddressWords {
    std::uint64_t word[2];

    bool operator==(const AddressWords&) const = default;
};

inline AddressWords words_of(const Address& address) {
    AddressWords words;
    std::memcpy(words.word, address.bytes().data(), sizeof(words.word));
    return words;
}

inline Address address_of(const void* bytes) {
    Address::Bytes copy;
    std::memcpy(copy.data(), bytes, copy.size());
    return Address(copy);
}

inline bsc_forward forward_code(model::Forward forward) {
    switch (forward) {
        case model::Forward::ipip:
            return BSC_FORWARD_IPIP;
        case model::Forward::gue:
            return BSC_FORWARD_GUE;
        case model::Forward::local:
            return BSC_FORWARD_LOCAL;
        case model::Forward::l2:
            break;
    }
    return BSC_FORWARD_L2;
}

// Of two bits.
inline model::Forward forward_of(std::uint64_t code) {
    constexpr model::Forward by_code[] = {model::Forward::l2, model::Forward::ipip,
                                          model::Forward::gue, model::Forward::local};
    return by_code[code & 3];
}

}  // namespace bascule::dataplane
