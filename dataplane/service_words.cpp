// SPDX-License-Identifier: Apache-2.0
#include "dataplane/service_words.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>

namespace bascule::dataplane {

namespace {

constexpr std::size_t no_slot = BSC_MAX_SERVICES;

// Is this word's key the key?
bool names(std::uint64_t word, std::uint64_t key) {
    return (word & BSC_SERVICE_WORD_KEY_MASK) == key;
}

std::size_t slot_in(std::uint64_t word) {
    return word >> BSC_SERVICE_WORD_SLOT_SHIFT;
}

std::uint64_t word_of(std::uint64_t key, std::size_t slot) {
    return key | std::uint64_t{slot} << BSC_SERVICE_WORD_SLOT_SHIFT;
}

bool is_vacant(std::uint64_t word) {
    return word == 0 || word == BSC_SERVICE_WORD_GONE;
}

// Takes word `i` out; no other word moves. What is vacant at the end becomes the end.
void remove_word(bsc_service_bucket& bucket, std::size_t i) {
    bsc_store(&bucket.word[i], BSC_SERVICE_WORD_GONE);
    for (std::size_t last = std::size(bucket.word); last-- > 0;) {
        if (!is_vacant(bucket.word[last])) return;
        if (bucket.word[last] != 0) bsc_store(&bucket.word[last], 0);
    }
}

// Where a word of this key belongs: over the one that is there, else the first vacant place.
// nullptr: the bucket is full.
__u64* place_for(bsc_service_bucket& bucket, std::uint64_t key) {
    __u64* vacant = nullptr;
    for (__u64& word : bucket.word) {
        if (names(word, key)) return &word;
        if (vacant == nullptr && is_vacant(word)) vacant = &word;
    }
    return vacant;
}

bool may_share_ports(const model::ServiceKey& one, const model::ServiceKey& two) {
    return one.vip == two.vip && one.protocol == two.protocol;
}

}  // namespace

model::ServiceKey key_of_entry(const bsc_service& entry) {
    return {address_of(entry.be_address),
            {ntohs(entry.be_port), ntohs(entry.be_last_port)},
            (entry.flags & BSC_SERVICE_UDP) != 0 ? model::Protocol::udp : model::Protocol::tcp};
}

bool ServiceWords::in_use(std::size_t slot) const {
    return slot < memory_.services.size() &&
           (memory_.services[slot].flags & BSC_SERVICE_IN_USE) != 0;
}

std::uint64_t ServiceWords::word_key(std::uint16_t vip, const model::ServiceKey& key,
                                     const model::PortPrefix& prefix) const {
    const bool v4 = key.vip.is_v4();
    return bsc_service_key(v4 ? key.vip.v4_wire() : vip, bsc_port_code(prefix.port, prefix.length),
                           key.protocol == model::Protocol::udp, !v4);
}

__u64* ServiceWords::find(std::uint64_t word_key) const {
    for (__u64& word : memory_.service_words[bsc_service_bucket_of(word_key)].word)
        if (names(word, word_key)) return &word;
    return nullptr;
}

bool ServiceWords::leads_to_single(std::uint64_t word) const {
    const std::size_t slot = slot_in(word);
    return in_use(slot) && key_of_entry(memory_.services[slot]).ports.is_single();
}

Result<void> ServiceWords::publish(std::uint16_t slot, const model::ServiceKey& key) {
    const std::uint16_t vip = vips_.id_of(key.vip);
    if (vip == 0) return failure(key.vip.to_string() + " is not a VIP");
    std::uint16_t lengths = 0;
    for (const model::PortPrefix& prefix : model::prefixes_of(key.ports)) {
        if (prefix.length < 16) lengths |= static_cast<std::uint16_t>(1U << prefix.length);
        const std::uint64_t wanted = word_key(vip, key, prefix);
        __u64* place = place_for(memory_.service_words[bsc_service_bucket_of(wanted)], wanted);
        if (place == nullptr)
            return failure("bucket " + std::to_string(bsc_service_bucket_of(wanted)) +
                           " of the service table is full (" +
                           std::to_string(BSC_SERVICE_WORDS_PER_BUCKET) +
                           " port prefixes share it): another port would help");
        if (is_vacant(*place) || key.ports.is_single() || !leads_to_single(*place))
            bsc_store(place, word_of(wanted, slot));
    }
    vips_.add_lengths(vip, key.protocol, lengths);
    return {};
}

// Prefix lengths that the other services of the VIP and protocol need.
std::uint16_t ServiceWords::lengths_of(const model::ServiceKey& key, std::size_t without) const {
    std::uint16_t lengths = 0;
    for (std::size_t slot = 0; slot < memory_.services.size(); slot++) {
        if (slot == without || !in_use(slot)) continue;
        const model::ServiceKey other = key_of_entry(memory_.services[slot]);
        if (!may_share_ports(key, other)) continue;
        for (const model::PortPrefix& prefix : model::prefixes_of(other.ports))
            if (prefix.length < 16) lengths |= static_cast<std::uint16_t>(1U << prefix.length);
    }
    return lengths;
}

// The slot of the range that a single port's word leads to when its own service is gone.
std::uint64_t ServiceWords::successor(const model::ServiceKey& key, std::size_t without) const {
    const model::PortPrefix port{key.ports.first, 16};
    for (std::size_t slot = 0; slot < memory_.services.size(); slot++) {
        if (slot == without || !in_use(slot)) continue;
        const model::ServiceKey other = key_of_entry(memory_.services[slot]);
        if (!may_share_ports(key, other) || other.ports.is_single()) continue;
        const auto prefixes = model::prefixes_of(other.ports);
        if (std::find(prefixes.begin(), prefixes.end(), port) != prefixes.end()) return slot;
    }
    return no_slot;
}

Result<void> ServiceWords::withdraw(std::uint16_t slot, const model::ServiceKey& key) {
    const std::uint16_t vip = vips_.id_of(key.vip);
    if (vip == 0) return failure(key.vip.to_string() + " is not a VIP");
    vips_.set_lengths(vip, key.protocol, lengths_of(key, slot));
    for (const model::PortPrefix& prefix : model::prefixes_of(key.ports)) {
        const std::uint64_t wanted = word_key(vip, key, prefix);
        __u64* word = find(wanted);
        if (word == nullptr || slot_in(*word) != slot) continue;
        const std::size_t next = key.ports.is_single() ? successor(key, slot) : no_slot;
        auto& bucket = memory_.service_words[bsc_service_bucket_of(wanted)];
        if (next != no_slot)
            bsc_store(word, word_of(wanted, next));
        else
            remove_word(bucket, static_cast<std::size_t>(word - bucket.word));
    }
    return {};
}

// ---- after an earlier process ----

std::vector<std::uint16_t> ServiceWords::repair() {
    drop_strangers();
    std::vector<std::uint16_t> lost;
    for (std::uint16_t slot = 0; slot < memory_.services.size(); slot++) {
        if (!in_use(slot) || is_whole(slot, key_of_entry(memory_.services[slot]))) continue;
        drop_words_of(slot);
        lost.push_back(slot);
    }
    std::map<std::pair<std::uint16_t, model::Protocol>, std::uint16_t> lengths;
    for (std::uint16_t id = 1; id < memory_.vip_states.size(); id++)
        for (const auto protocol : {model::Protocol::tcp, model::Protocol::udp})
            lengths[{id, protocol}] = 0;
    for (std::uint16_t slot = 0; slot < memory_.services.size(); slot++) {
        if (!in_use(slot) || std::binary_search(lost.begin(), lost.end(), slot)) continue;
        const model::ServiceKey key = key_of_entry(memory_.services[slot]);
        for (const model::PortPrefix& prefix : model::prefixes_of(key.ports))
            if (prefix.length < 16)
                lengths[{vips_.id_of(key.vip), key.protocol}] |=
                    static_cast<std::uint16_t>(1U << prefix.length);
    }
    for (const auto& [of, bits] : lengths)
        vips_.set_lengths(of.first, of.second, bits);
    return lost;
}

// A word stays when the service it leads to has its prefix.
void ServiceWords::drop_strangers() {
    std::set<std::uint64_t> right;
    for (std::uint16_t slot = 0; slot < memory_.services.size(); slot++) {
        if (!in_use(slot)) continue;
        const model::ServiceKey key = key_of_entry(memory_.services[slot]);
        const std::uint16_t vip = vips_.id_of(key.vip);
        if (vip == 0) continue;
        for (const model::PortPrefix& prefix : model::prefixes_of(key.ports))
            right.insert(word_of(word_key(vip, key, prefix), slot));
    }
    for (bsc_service_bucket& bucket : memory_.service_words)
        for (std::size_t i = 0; i < std::size(bucket.word); i++)
            if (!is_vacant(bucket.word[i]) && !right.contains(bucket.word[i]))
                remove_word(bucket, i);
}

bool ServiceWords::is_whole(std::uint16_t slot, const model::ServiceKey& key) const {
    const std::uint16_t vip = vips_.id_of(key.vip);
    const auto prefixes = model::prefixes_of(key.ports);
    return vip != 0 && !prefixes.empty() &&
           std::all_of(prefixes.begin(), prefixes.end(), [&](const model::PortPrefix& prefix) {
               const __u64* word = find(word_key(vip, key, prefix));
               if (word == nullptr) return false;
               // Only a range gives way, and only to a service of one port.
               return slot_in(*word) == slot ||
                      (!key.ports.is_single() && prefix.length == 16 && leads_to_single(*word));
           });
}

void ServiceWords::drop_words_of(std::uint16_t slot) {
    for (bsc_service_bucket& bucket : memory_.service_words)
        for (std::size_t i = 0; i < std::size(bucket.word); i++)
            if (!is_vacant(bucket.word[i]) && slot_in(bucket.word[i]) == slot)
                remove_word(bucket, i);
}

}  // namespace bascule::dataplane
