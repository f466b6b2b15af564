// SPDX-License-Identifier: Apache-2.0
#include "dataplane/vip_guard.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bpf/contract.h"

namespace bascule::dataplane {
namespace {

bsc_guard_key key_of(const Address& vip) {
    bsc_guard_key key;
    static_assert(sizeof key == sizeof(Address::Bytes));
    std::memcpy(&key, vip.bytes().data(), sizeof key);
    return key;
}

Address address_of(const bsc_guard_key& key) {
    Address::Bytes bytes;
    std::memcpy(bytes.data(), &key, sizeof key);
    return Address(bytes);
}

// Whatever is earlier than the clock's beginning has passed.
std::uint64_t deadline_of(std::chrono::steady_clock::time_point until, bool yields) {
    const auto since = std::chrono::nanoseconds(until.time_since_epoch()).count();
    constexpr std::uint64_t flag = BSC_GUARD_YIELDS;
    if (since <= 0) return 0;
    return (static_cast<std::uint64_t>(since) & ~flag) | (yields ? flag : 0);
}

Error refused(const char* map, const Address& vip, int code) {
    return Error::system(std::string("map ") + map + ", " + vip.to_string(), code);
}

// Those that stand in a map, whose entries change only here.
std::vector<Address> entries_of(int map) {
    std::vector<Address> entries;
    bsc_guard_key key{}, next{};
    const bsc_guard_key* after = nullptr;
    while (entries.size() < BSC_MAX_VIPS && bpf_map_get_next_key(map, after, &next) == 0) {
        entries.push_back(address_of(next));
        key = next;
        after = &key;
    }
    return entries;
}

// An entry that is there already stays as it is.
Result<void> begin(int map, const char* name, const Address& vip, const void* value) {
    const bsc_guard_key key = key_of(vip);
    const int code = -bpf_map_update_elem(map, &key, value, BPF_NOEXIST);
    if (code != 0 && code != EEXIST) return failure(refused(name, vip, code));
    return {};
}

}  // namespace

Result<void> VipGuard::set(const Address& vip, std::chrono::steady_clock::time_point until,
                           bool yields, const Mac& own) const {
    const bsc_guard_key key = key_of(vip);
    bsc_guard guard{.until = deadline_of(until, yields), .own_mac = {}, .reserved = {}};
    std::copy(own.bytes.begin(), own.bytes.end(), std::begin(guard.own_mac));
    const int code = -bpf_map_update_elem(guards_, &key, &guard, BPF_EXIST);
    if (code != 0) return failure(refused("guards", vip, code));
    return {};
}

Result<void> VipGuard::keep(std::span<const Address> vips) const {
    for (const int map : {guards_, rivals_})
        for (const Address& there : entries_of(map)) {
            if (std::ranges::find(vips, there) != vips.end()) continue;
            const bsc_guard_key key = key_of(there);
            bpf_map_delete_elem(map, &key);
        }
    const bsc_guard not_to_be_found{};
    const bsc_rival nobody{};
    for (const Address& vip : vips) {
        if (auto begun = begin(rivals_, "rivals", vip, &nobody); !begun) return begun;
        if (auto begun = begin(guards_, "guards", vip, &not_to_be_found); !begun) return begun;
    }
    return {};
}

std::vector<VipRivalSeen> VipGuard::rivals() const {
    std::vector<VipRivalSeen> seen;
    for (const Address& vip : entries_of(rivals_)) {
        const bsc_guard_key key = key_of(vip);
        bsc_rival rival{};
        if (bpf_map_lookup_elem(rivals_, &key, &rival) != 0 || rival.count == 0) continue;
        VipRivalSeen& entry = seen.emplace_back();
        entry.vip = vip;
        std::memcpy(entry.mac.bytes.data(), rival.mac, sizeof rival.mac);
        entry.ifindex = rival.ifindex;
        entry.count = rival.count;
        entry.nanoseconds = rival.nanoseconds;
    }
    return seen;
}

}  // namespace bascule::dataplane
