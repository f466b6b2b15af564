// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config_writer.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <numeric>
#include <optional>
#include <set>
#include <vector>

#include "dataplane/libbpf_log.h"
#include "dataplane/unique_fd.h"

namespace bascule::dataplane {

namespace {

// Stores a map's entry word by word: whole words to whoever reads meanwhile. (Entries of 64 bytes
// stand on multiples of 64 in their map.)
template <typename T>
void store_words(T& target, const T& value) {
    static_assert(sizeof(T) == 64);
    std::uint64_t words[sizeof(T) / 8];
    std::memcpy(words, &value, sizeof(T));
    auto* to = reinterpret_cast<__u64*>(&target);
    for (std::size_t i = 0; i < std::size(words); i++)
        if (bsc_load(to + i) != words[i]) bsc_store(to + i, words[i]);
}

std::uint32_t seconds(model::Seconds limit) {
    return static_cast<std::uint32_t>(limit.count());
}

bsc_service entry_of(const model::TableService& service) {
    bsc_service entry{};
    entry.flags = BSC_SERVICE_IN_USE;
    if (service.key.protocol == model::Protocol::udp) entry.flags |= BSC_SERVICE_UDP;
    if (!service.key.vip.is_v4()) entry.flags |= BSC_SERVICE_IPV6;
    if (service.unknown == model::Unknown::drop) entry.flags |= BSC_SERVICE_UNKNOWN_DROP;
    if (service.affinity == model::Affinity::source) entry.flags |= BSC_SERVICE_AFFINITY_SOURCE;
    entry.limit_embryonic = seconds(service.limits.embryonic);
    entry.limit_established = seconds(service.limits.established);
    entry.limit_closing = seconds(service.limits.closing);
    std::memcpy(entry.be_address, service.key.vip.bytes().data(), sizeof(entry.be_address));
    entry.be_port = htons(service.key.port);
    return entry;
}

std::uint64_t hop_of(const model::TableBackend& backend) {
    std::uint64_t hop = std::uint64_t{backend.generation} << BSC_HOP_GENERATION_SHIFT;
    if (backend.up) hop |= BSC_HOP_UP;
    if (backend.next_hop) hop |= BSC_HOP_RESOLVED | backend.next_hop->mac.to_word();
    return hop;
}

// Is this word's key the key?
bool names(std::uint64_t word, std::uint64_t key) {
    return (word & BSC_SERVICE_WORD_KEY_MASK) == key;
}

// Takes word `i` out without a hole: a reader stops at the first 0.
void remove_word(bsc_service_bucket& bucket, std::size_t i) {
    std::size_t last = i;
    while (last + 1 < std::size(bucket.word) && bucket.word[last + 1] != 0)
        last++;
    if (last != i) bsc_store(&bucket.word[i], bucket.word[last]);
    bsc_store(&bucket.word[last], 0);
}

// A new inner map, whole; the outer map's entry keeps it from then on.
Result<UniqueFd> make_ring(const model::Ring& ring) {
    const std::size_t lines = 1 + (ring.size() + BSC_RING_LINE_SLOTS - 1) / BSC_RING_LINE_SLOTS;
    std::vector<bsc_ring_line> content(lines);
    content[0].header.size = static_cast<std::uint32_t>(ring.size());
    for (std::size_t i = 0; i < ring.size(); i++)
        content[1 + i / BSC_RING_LINE_SLOTS].slot[i % BSC_RING_LINE_SLOTS] = ring[i];

    bpf_map_create_opts create{};
    create.sz = sizeof(create);
    create.map_flags = BPF_F_INNER_MAP;
    UniqueFd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "ring", sizeof(__u32), sizeof(bsc_ring_line),
                                static_cast<__u32>(lines), &create));
    if (!map) return failure(bpf_error("make the ring", errno));
    std::vector<__u32> keys(lines);
    std::iota(keys.begin(), keys.end(), 0U);
    auto count = static_cast<__u32>(lines);
    bpf_map_batch_opts batch{};
    batch.sz = sizeof(batch);
    if (bpf_map_update_batch(map.get(), keys.data(), content.data(), &count, &batch) != 0)
        return failure(bpf_error("fill the ring", errno));
    return map;
}

}  // namespace

ConfigWriter::ConfigWriter(const ConfigMemory& memory, Counters& counters)
    : memory_(memory), counters_(counters) {}

// ---- VIPs ----

bsc_vip* ConfigWriter::find_vip(const Address& address) {
    const AddressWords words = words_of(address);
    const std::uint32_t home = bsc_vip_bucket_of(words.word[0], words.word[1]);
    for (std::uint32_t probe = 0; probe < BSC_VIP_PROBES; probe++)
        for (bsc_vip& vip : memory_.vips[(home + probe) % BSC_VIP_BUCKETS].vip)
            if (vip.tag != 0 && AddressWords{{vip.be_address[0], vip.be_address[1]}} == words)
                return &vip;
    return nullptr;
}

std::uint16_t ConfigWriter::vip_id(const Address& address) {
    const bsc_vip* vip = find_vip(address);
    return vip == nullptr ? std::uint16_t{0} : static_cast<std::uint16_t>(vip->tag);
}

Result<void> ConfigWriter::set_vip(std::uint16_t id, const Address& address) {
    const AddressWords words = words_of(address);
    const std::uint32_t home = bsc_vip_bucket_of(words.word[0], words.word[1]);
    bsc_vip* place = find_vip(address);
    for (std::uint32_t probe = 0; probe < BSC_VIP_PROBES && place == nullptr; probe++)
        for (bsc_vip& vip : memory_.vips[(home + probe) % BSC_VIP_BUCKETS].vip)
            if (vip.tag == 0 && place == nullptr) place = &vip;
    if (place == nullptr)
        return failure("too many VIPs share the places " + std::to_string(home) + " and " +
                       std::to_string((home + 1) % BSC_VIP_BUCKETS) + " of the VIP table");
    // The counter outlives the tag in `reserved`, so that no two writes show a reader one tag.
    place->reserved++;
    bsc_store(&place->tag, 0);
    bsc_store(&place->be_address[0], words.word[0]);
    bsc_store(&place->be_address[1], words.word[1]);
    bsc_store(&place->tag, place->reserved << 16 | id);
    return {};
}

void ConfigWriter::remove_vip(const Address& address) {
    bsc_vip* vip = find_vip(address);
    if (vip == nullptr) return;
    bsc_store(&vip->tag, 0);
    bsc_store(&vip->be_address[0], 0);
    bsc_store(&vip->be_address[1], 0);
}

// ---- services ----

Result<std::uint64_t> ConfigWriter::service_key(const model::ServiceKey& key) {
    const bool udp = key.protocol == model::Protocol::udp;
    if (key.vip.is_v4()) return bsc_service_key(key.vip.v4_wire(), htons(key.port), udp, false);
    const std::uint16_t id = vip_id(key.vip);
    if (id == 0) return failure(key.vip.to_string() + " is not a VIP");
    return bsc_service_key(id, htons(key.port), udp, true);
}

// None: an IPv6 service whose VIP is gone.
std::optional<std::uint64_t> ConfigWriter::key_of_entry(const bsc_service& entry) {
    const bool udp = (entry.flags & BSC_SERVICE_UDP) != 0;
    const Address vip = address_of(entry.be_address);
    if (vip.is_v4()) return bsc_service_key(vip.v4_wire(), entry.be_port, udp, false);
    const std::uint16_t id = vip_id(vip);
    if (id == 0) return std::nullopt;
    return bsc_service_key(id, entry.be_port, udp, true);
}

Result<void> ConfigWriter::set_service(const model::SetService& write) {
    if (write.fresh) {
        // A ring that an earlier service left would lead to backends of others by now.
        if (auto gone = remove_ring(write.slot); !gone) return gone;
        if (auto zeroed = counters_.zero_service(write.slot); !zeroed) return zeroed;
    }
    store_words(memory_.services[write.slot], entry_of(write.service));
    return {};
}

void ConfigWriter::clear_service(std::uint16_t slot) {
    store_words(memory_.services[slot], bsc_service{});
}

Result<void> ConfigWriter::publish(const model::PublishService& write) {
    auto key = service_key(write.key);
    if (!key) return failure(std::move(key.error()));
    const std::uint64_t word = *key | std::uint64_t{write.slot} << BSC_SERVICE_WORD_SLOT_SHIFT;
    const std::uint32_t at = bsc_service_bucket_of(*key);
    for (__u64& place : memory_.service_words[at].word) {
        if (place != 0 && !names(place, *key)) continue;
        bsc_store(&place, word);
        return {};
    }
    return failure("bucket " + std::to_string(at) + " of the service table is full (" +
                   std::to_string(BSC_SERVICE_WORDS_PER_BUCKET) +
                   " services share it): another port would help");
}

Result<void> ConfigWriter::withdraw(const model::WithdrawService& write) {
    auto key = service_key(write.key);
    if (!key) return failure(std::move(key.error()));
    bsc_service_bucket& bucket = memory_.service_words[bsc_service_bucket_of(*key)];
    for (std::size_t i = 0; i < std::size(bucket.word); i++) {
        if (!names(bucket.word[i], *key)) continue;
        remove_word(bucket, i);
        break;
    }
    return {};
}

// ---- backends and rings ----

Result<void> ConfigWriter::set_backend(const model::SetBackend& write) {
    const model::TableBackend& backend = write.backend;
    bsc_backend& entry = memory_.backends[write.slot];
    if (write.fresh) {
        if (auto zeroed = counters_.zero_backend(write.slot); !zeroed) return zeroed;
        // Before the identity: should we die in between, whoever adopts this backend must not find
        // it with the generation of the one before.
        bsc_store(&entry.hop, std::uint64_t{backend.generation} << BSC_HOP_GENERATION_SHIFT);
    }
    bsc_backend value{};
    value.hop = entry.hop;
    value.ifindex = backend.next_hop ? backend.next_hop->ifindex : 0;
    value.service = backend.service;
    value.be_port = htons(backend.key.port);
    std::memcpy(value.be_address, backend.key.address.bytes().data(), sizeof(value.be_address));
    store_words(entry, value);
    bsc_store(&entry.hop, hop_of(backend));
    return {};
}

void ConfigWriter::clear_backend(const model::ClearBackend& write) {
    bsc_backend& entry = memory_.backends[write.slot];
    bsc_backend value{};
    value.hop = std::uint64_t{write.generation} << BSC_HOP_GENERATION_SHIFT;
    bsc_store(&entry.hop, value.hop);
    store_words(entry, value);
}

Result<void> ConfigWriter::set_ring(std::uint16_t service, const model::Ring& ring) {
    if (ring.empty()) return remove_ring(service);
    if (ring.size() > BSC_RING_MAX)
        return failure("a ring of " + std::to_string(ring.size()) + " slots is longer than " +
                       std::to_string(BSC_RING_MAX));
    auto map = make_ring(ring);
    if (!map) return failure(std::move(map.error()));
    const __u32 slot = service;
    const int fd = map->get();
    if (bpf_map_update_elem(memory_.rings, &slot, &fd, BPF_ANY) != 0)
        return failure(bpf_error("swap the ring in", errno));
    return {};
}

Result<void> ConfigWriter::remove_ring(std::uint16_t service) {
    const __u32 slot = service;
    if (bpf_map_delete_elem(memory_.rings, &slot) != 0 && errno != ENOENT)
        return failure(bpf_error("take the ring away", errno));
    return {};
}

// ---- a plan's writes ----

struct ConfigWriter::Visitor {
    ConfigWriter& writer;

    static Result<void> named(const std::string& what, Result<void> result) {
        if (!result) return failure(std::move(result.error()).within(what));
        return result;
    }
    Result<void> operator()(const model::SetVip& write) const {
        return named("VIP " + write.address.to_string(), writer.set_vip(write.id, write.address));
    }
    Result<void> operator()(const model::RemoveVip& write) const {
        writer.remove_vip(write.address);
        return {};
    }
    Result<void> operator()(const model::SetService& write) const {
        return named("service " + write.service.key.to_string(), writer.set_service(write));
    }
    Result<void> operator()(const model::PublishService& write) const {
        return named("service " + write.key.to_string(), writer.publish(write));
    }
    Result<void> operator()(const model::WithdrawService& write) const {
        return named("service " + write.key.to_string(), writer.withdraw(write));
    }
    Result<void> operator()(const model::ClearService& write) const {
        writer.clear_service(write.slot);
        return {};
    }
    Result<void> operator()(const model::SetBackend& write) const {
        return named("backend " + write.backend.key.to_string(), writer.set_backend(write));
    }
    Result<void> operator()(const model::ClearBackend& write) const {
        writer.clear_backend(write);
        return {};
    }
    Result<void> operator()(const model::SetRing& write) const {
        return named("ring of service slot " + std::to_string(write.service),
                     writer.set_ring(write.service, write.ring));
    }
};

Result<void> ConfigWriter::write(const model::Write& write) {
    return std::visit(Visitor{*this}, write);
}

// ---- after an earlier process ----

void ConfigWriter::repair() {
    repair_vips();
    repair_words();
    repair_services();
}

void ConfigWriter::repair_vips() {
    for (bsc_vip_bucket& bucket : memory_.vips)
        for (bsc_vip& vip : bucket.vip)
            if (vip.tag != 0 && find_vip(address_of(vip.be_address)) != &vip)
                bsc_store(&vip.tag, 0);
}

// A word stays when the service it leads to says the same; and only once, since a process may have
// died between filling a hole and zeroing the last word.
void ConfigWriter::repair_words() {
    for (bsc_service_bucket& bucket : memory_.service_words) {
        std::set<std::uint64_t> seen;
        for (std::size_t i = 0; i < std::size(bucket.word) && bucket.word[i] != 0;) {
            const std::uint64_t word = bucket.word[i];
            const std::uint64_t slot = word >> BSC_SERVICE_WORD_SLOT_SHIFT;
            const bool in_use = slot < memory_.services.size() &&
                                (memory_.services[slot].flags & BSC_SERVICE_IN_USE) != 0;
            const auto key = in_use ? key_of_entry(memory_.services[slot]) : std::nullopt;
            if (key && names(word, *key) && seen.insert(*key).second)
                i++;
            else
                remove_word(bucket, i);
        }
    }
}

void ConfigWriter::repair_services() {
    std::set<std::uint64_t> reached;
    for (const bsc_service_bucket& bucket : memory_.service_words)
        for (const std::uint64_t word : bucket.word)
            if (word != 0) reached.insert(word >> BSC_SERVICE_WORD_SLOT_SHIFT);
    for (std::uint16_t slot = 0; slot < memory_.services.size(); slot++)
        if ((memory_.services[slot].flags & BSC_SERVICE_IN_USE) != 0 && !reached.contains(slot))
            clear_service(slot);
}

}  // namespace bascule::dataplane
