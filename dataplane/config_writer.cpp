// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config_writer.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <numeric>
#include <utility>
#include <vector>

#include "base/descriptor.h"
#include "dataplane/libbpf_log.h"

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

void copy_address(__u8 (&to)[16], const Address& address) {
    std::memcpy(to, address.bytes().data(), sizeof(to));
}

bsc_service entry_of(const model::TableService& service) {
    const model::ServiceOptions& options = service.options;
    bsc_service entry{};
    entry.flags = BSC_SERVICE_IN_USE;
    if (service.key.protocol == model::Protocol::udp) entry.flags |= BSC_SERVICE_UDP;
    if (!service.key.vip.is_v4()) entry.flags |= BSC_SERVICE_IPV6;
    if (options.unknown == model::Unknown::drop) entry.flags |= BSC_SERVICE_UNKNOWN_DROP;
    if (options.affinity == model::Affinity::source) entry.flags |= BSC_SERVICE_AFFINITY_SOURCE;
    if (options.on_empty == model::OnEmpty::reset) entry.flags |= BSC_SERVICE_ON_EMPTY_RESET;
    if (options.copy_dscp) entry.flags |= BSC_SERVICE_COPY_DSCP;
    entry.limit_embryonic = seconds(options.limits.embryonic);
    entry.limit_established = seconds(options.limits.established);
    entry.limit_closing = seconds(options.limits.closing);
    copy_address(entry.be_address, service.key.vip);
    entry.be_port = htons(service.key.ports.first);
    entry.be_last_port = htons(service.key.ports.last);
    entry.mss_clamp = options.mss_clamp;
    return entry;
}

std::uint64_t hop_of(const model::TableBackend& backend) {
    std::uint64_t hop = std::uint64_t{backend.generation} << BSC_HOP_GENERATION_SHIFT;
    if (backend.up) hop |= BSC_HOP_UP;
    if (backend.next_hop) hop |= BSC_HOP_RESOLVED | backend.next_hop->mac.to_word();
    return hop;
}

// How it gets there; the MAC address stands in `hop`.
std::uint64_t route_of(const model::TableBackend& backend) {
    const model::Delivery& delivery = backend.delivery;
    const model::NextHop hop = backend.next_hop.value_or(model::NextHop{});
    return hop.ifindex | std::uint64_t{htons(delivery.rewrite_port)} << BSC_ROUTE_PORT_SHIFT |
           std::uint64_t{hop.vlan} << BSC_ROUTE_VLAN_SHIFT |
           std::uint64_t{forward_code(delivery.forward)} << BSC_ROUTE_FORWARD_SHIFT;
}

bsc_backend entry_of(const model::TableBackend& backend) {
    bsc_backend entry{};
    entry.hop = hop_of(backend);
    entry.route = route_of(backend);
    copy_address(entry.be_address, backend.key.address);
    entry.service = backend.service;
    entry.be_port = htons(backend.key.port);
    if (backend.next_hop) entry.mtu = backend.next_hop->mtu;
    entry.be_gue_port = htons(backend.delivery.gue_port);
    copy_address(entry.be_outer_source, backend.delivery.tunnel_source);
    entry.source = std::uint64_t{backend.delivery.entropy_bits} << BSC_SOURCE_ENTROPY_SHIFT;
    if (backend.next_hop) entry.source |= backend.next_hop->source_mac.to_word();
    return entry;
}

// A new inner map, whole; the outer map's entry keeps it from then on.
Result<Descriptor> make_ring(const model::Ring& ring) {
    const std::size_t lines = 1 + (ring.size() + BSC_RING_LINE_SLOTS - 1) / BSC_RING_LINE_SLOTS;
    std::vector<bsc_ring_line> content(lines);
    content[0].header.size = static_cast<std::uint32_t>(ring.size());
    for (std::size_t i = 0; i < ring.size(); i++)
        content[1 + i / BSC_RING_LINE_SLOTS].slot[i % BSC_RING_LINE_SLOTS] = ring[i];

    bpf_map_create_opts create{};
    create.sz = sizeof(create);
    create.map_flags = BPF_F_INNER_MAP;
    Descriptor map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "ring", sizeof(__u32), sizeof(bsc_ring_line),
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
    : memory_(memory),
      counters_(counters),
      vips_(memory),
      words_(memory, vips_),
      egress_(memory.egress) {}

// ---- services ----

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
    if (backend.next_hop)
        if (auto added = egress_.add(backend.next_hop->ifindex); !added) return added;
    bsc_backend value = entry_of(backend);
    const std::uint64_t hop = std::exchange(value.hop, entry.hop);
    store_words(entry, value);
    bsc_store(&entry.hop, hop);
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
        return named("VIP " + write.vip.address.to_string(), writer.vips_.set(write.id, write.vip));
    }
    Result<void> operator()(const model::RemoveVip& write) const {
        writer.vips_.remove(write.address);
        return {};
    }
    Result<void> operator()(const model::SetService& write) const {
        return named("service " + write.service.key.to_string(), writer.set_service(write));
    }
    Result<void> operator()(const model::PublishService& write) const {
        return named("service " + write.key.to_string(),
                     writer.words_.publish(write.slot, write.key));
    }
    Result<void> operator()(const model::WithdrawService& write) const {
        return named("service " + write.key.to_string(),
                     writer.words_.withdraw(write.slot, write.key));
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

Result<void> ConfigWriter::settle(const model::Tables& tables) {
    return egress_.follow(tables);
}

// ---- after an earlier process ----

void ConfigWriter::repair() {
    vips_.repair();
    for (const std::uint16_t slot : words_.repair())
        clear_service(slot);
}

}  // namespace bascule::dataplane
