// SPDX-License-Identifier: Apache-2.0
#include "dataplane/table_reader.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <vector>

#include "base/descriptor.h"
#include "dataplane/loader.h"
#include "dataplane/service_words.h"

namespace bascule::dataplane {

namespace {

model::TableService service_of(const bsc_service& entry) {
    model::TableService service;
    service.key = key_of_entry(entry);
    model::ServiceOptions& options = service.options;
    if ((entry.flags & BSC_SERVICE_UNKNOWN_DROP) != 0) options.unknown = model::Unknown::drop;
    if ((entry.flags & BSC_SERVICE_AFFINITY_SOURCE) != 0)
        options.affinity = model::Affinity::source;
    if ((entry.flags & BSC_SERVICE_ON_EMPTY_RESET) != 0) options.on_empty = model::OnEmpty::reset;
    options.copy_dscp = (entry.flags & BSC_SERVICE_COPY_DSCP) != 0;
    options.limits.embryonic = model::Seconds(entry.limit_embryonic);
    options.limits.established = model::Seconds(entry.limit_established);
    options.limits.closing = model::Seconds(entry.limit_closing);
    options.mss_clamp = entry.mss_clamp;
    return service;
}

std::uint8_t generation_of(std::uint64_t hop) {
    return static_cast<std::uint8_t>(hop >> BSC_HOP_GENERATION_SHIFT);
}

model::TableBackend backend_of(const bsc_backend& entry) {
    const std::uint64_t hop = bsc_load(&entry.hop);
    model::TableBackend backend;
    backend.service = entry.service;
    backend.key = {address_of(entry.be_address), ntohs(entry.be_port)};
    backend.generation = generation_of(hop);
    backend.up = (hop & BSC_HOP_UP) != 0;
    const std::uint64_t route = entry.route;
    if ((hop & BSC_HOP_RESOLVED) != 0)
        backend.next_hop = {Mac::from_word(hop & BSC_HOP_MAC_MASK),
                            static_cast<std::uint32_t>(route),
                            static_cast<std::uint16_t>(route >> BSC_ROUTE_VLAN_SHIFT & 0xfff),
                            Mac::from_word(entry.source & BSC_HOP_MAC_MASK), entry.mtu};
    backend.delivery.forward = forward_of(route >> BSC_ROUTE_FORWARD_SHIFT);
    backend.delivery.rewrite_port =
        ntohs(static_cast<std::uint16_t>(route >> BSC_ROUTE_PORT_SHIFT));
    backend.delivery.gue_port = ntohs(entry.be_gue_port);
    backend.delivery.tunnel_source = address_of(entry.be_outer_source);
    backend.delivery.entropy_bits =
        static_cast<std::uint8_t>(entry.source >> BSC_SOURCE_ENTROPY_SHIFT);
    return backend;
}

// Slot 0 is never a backend, so no plan wants this ring: it will be replaced or taken away.
const model::Ring unreadable = {0};

model::Ring ring_of(int fd) {
    const std::uint32_t lines = map_entries(fd);
    std::vector<bsc_ring_line> content(lines);
    std::vector<__u32> keys(lines);
    __u32 count = lines;
    __u32 next = 0;
    bpf_map_batch_opts options{};
    options.sz = sizeof(options);
    // Ends with ENOENT when it has read all.
    bpf_map_lookup_batch(fd, nullptr, &next, keys.data(), content.data(), &count, &options);
    if (lines == 0 || count != lines) return unreadable;
    const std::size_t size = content[0].header.size;
    if (size == 0 || size > (std::size_t{lines} - 1) * BSC_RING_LINE_SLOTS) return unreadable;
    model::Ring::Slots ring(size);
    for (std::size_t i = 0; i < size; i++)
        ring[i] = content[1 + i / BSC_RING_LINE_SLOTS].slot[i % BSC_RING_LINE_SLOTS];
    return ring;
}

}  // namespace

model::Tables read_tables(const ConfigMemory& memory) {
    model::Tables tables;
    for (const bsc_vip_bucket& bucket : memory.vips)
        for (const bsc_vip& vip : bucket.vip)
            if (const auto id = static_cast<std::uint16_t>(vip.tag); vip.tag != 0)
                tables.vips[id] = {address_of(vip.be_address),
                                   (bsc_load(&memory.vip_states[id]) & BSC_VIP_HELD) != 0};
    for (std::uint16_t slot = 0; slot < memory.services.size(); slot++) {
        const bsc_service& entry = memory.services[slot];
        if ((entry.flags & BSC_SERVICE_IN_USE) != 0) tables.services[slot] = service_of(entry);
        const __u32 key = slot;
        __u32 id = 0;
        if (bpf_map_lookup_elem(memory.rings, &key, &id) != 0) continue;
        const Descriptor ring(bpf_map_get_fd_by_id(id));
        tables.rings[slot] = ring ? ring_of(ring.get()) : unreadable;
    }
    for (std::uint16_t slot = 1; slot < memory.backends.size(); slot++) {
        const bsc_backend& entry = memory.backends[slot];
        const std::uint64_t hop = bsc_load(&entry.hop);
        if (!address_of(entry.be_address).is_unspecified())
            tables.backends[slot] = backend_of(entry);
        else if (generation_of(hop) != 0)
            tables.retired_generations[slot] = generation_of(hop);
    }
    return tables;
}

}  // namespace bascule::dataplane
