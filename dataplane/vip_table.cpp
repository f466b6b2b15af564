// SPDX-License-Identifier: Apache-2.0
#include "dataplane/vip_table.h"

#include <set>
#include <string>

namespace bascule::dataplane {

namespace {

unsigned shift_of(model::Protocol protocol) {
    return protocol == model::Protocol::udp ? BSC_VIP_UDP_LENGTHS_SHIFT : BSC_VIP_TCP_LENGTHS_SHIFT;
}

void store_if_other(__u64& word, std::uint64_t value) {
    if (bsc_load(&word) != value) bsc_store(&word, value);
}

}  // namespace

bsc_vip* VipTable::find(const Address& address) const {
    const AddressWords words = words_of(address);
    const std::uint32_t home = bsc_vip_bucket_of(words.word[0], words.word[1]);
    for (std::uint32_t probe = 0; probe < BSC_VIP_PROBES; probe++)
        for (bsc_vip& vip : memory_.vips[(home + probe) % BSC_VIP_BUCKETS].vip)
            if (vip.tag != 0 && AddressWords{{vip.be_address[0], vip.be_address[1]}} == words)
                return &vip;
    return nullptr;
}

std::uint16_t VipTable::id_of(const Address& address) const {
    const bsc_vip* vip = find(address);
    return vip == nullptr ? std::uint16_t{0} : static_cast<std::uint16_t>(vip->tag);
}

Result<void> VipTable::set(std::uint16_t id, const model::TableVip& vip) {
    const std::uint64_t held = vip.held ? BSC_VIP_HELD : 0;
    if (id_of(vip.address) == id) {
        __u64& state = memory_.vip_states[id];
        store_if_other(state, (bsc_load(&state) & ~BSC_VIP_HELD) | held);
        return {};
    }
    const AddressWords words = words_of(vip.address);
    const std::uint32_t home = bsc_vip_bucket_of(words.word[0], words.word[1]);
    bsc_vip* place = find(vip.address);
    for (std::uint32_t probe = 0; probe < BSC_VIP_PROBES && place == nullptr; probe++)
        for (bsc_vip& free : memory_.vips[(home + probe) % BSC_VIP_BUCKETS].vip)
            if (free.tag == 0 && place == nullptr) place = &free;
    if (place == nullptr)
        return failure("too many VIPs share the places " + std::to_string(home) + " and " +
                       std::to_string((home + 1) % BSC_VIP_BUCKETS) + " of the VIP table");
    bsc_store(&memory_.vip_states[id], held);
    // The counter outlives the tag in `reserved`, so that no two writes show a reader one tag.
    place->reserved++;
    bsc_store(&place->tag, 0);
    bsc_store(&place->be_address[0], words.word[0]);
    bsc_store(&place->be_address[1], words.word[1]);
    bsc_store(&place->tag, place->reserved << 16 | id);
    return {};
}

void VipTable::remove(const Address& address) {
    bsc_vip* vip = find(address);
    if (vip == nullptr) return;
    const auto id = static_cast<std::uint16_t>(vip->tag);
    bsc_store(&vip->tag, 0);
    bsc_store(&vip->be_address[0], 0);
    bsc_store(&vip->be_address[1], 0);
    bsc_store(&memory_.vip_states[id], 0);
}

void VipTable::add_lengths(std::uint16_t id, model::Protocol protocol, std::uint16_t lengths) {
    __u64& state = memory_.vip_states[id];
    store_if_other(state, bsc_load(&state) | std::uint64_t{lengths} << shift_of(protocol));
}

void VipTable::set_lengths(std::uint16_t id, model::Protocol protocol, std::uint16_t lengths) {
    const unsigned shift = shift_of(protocol);
    __u64& state = memory_.vip_states[id];
    const std::uint64_t others = bsc_load(&state) & ~(std::uint64_t{BSC_VIP_LENGTHS_MASK} << shift);
    store_if_other(state, others | std::uint64_t{lengths} << shift);
}

void VipTable::repair() {
    std::set<std::uint16_t> ids;
    for (bsc_vip_bucket& bucket : memory_.vips)
        for (bsc_vip& vip : bucket.vip) {
            if (vip.tag == 0) continue;
            if (find(address_of(vip.be_address)) != &vip)
                bsc_store(&vip.tag, 0);
            else
                ids.insert(static_cast<std::uint16_t>(vip.tag));
        }
    for (std::size_t id = 0; id < memory_.vip_states.size(); id++)
        if (!ids.contains(static_cast<std::uint16_t>(id)))
            store_if_other(memory_.vip_states[id], 0);
}

}  // namespace bascule::dataplane
