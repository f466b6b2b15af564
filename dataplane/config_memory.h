// SPDX-License-Identifier: Apache-2.0
// The config maps as mapped, and how their fields and the model's values translate.
#pragma once

#include <arpa/inet.h>

#include <cstring>
#include <span>

#include "base/address.h"
#include "bpf/lookup.h"

namespace bascule::dataplane {

struct ConfigMemory {
    std::span<bsc_vip_bucket> vips;
    std::span<bsc_service_bucket> service_words;
    std::span<bsc_service> services;
    std::span<bsc_backend> backends;
    int rings = -1;  // map of maps: by system calls
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

}  // namespace bascule::dataplane
