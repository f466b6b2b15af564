// SPDX-License-Identifier: Apache-2.0
// A session table in ordinary memory, and what XDP does with it, by the header that XDP is
// compiled from.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "base/address.h"
#include "bpf/session_table.h"
#include "dataplane/session_table.h"

namespace bascule::test {

// Seconds; the same for all services.
struct NativeLimits {
    std::uint32_t unproven = 60;
    std::uint32_t established = 3600;
    std::uint32_t closing = 30;
};

}  // namespace bascule::test

BSC_INLINE __u32 bsc_weigh(const void* limits, __u64 b, __u32 now) {
    const auto* of = static_cast<const bascule::test::NativeLimits*>(limits);
    const __u32 state = bsc_state_of(b);
    if (bsc_is_unproven(state)) return bsc_weight(b, now, of->unproven);
    return bsc_weight(b, now, state == BSC_CLOSING ? of->closing : of->established);
}

namespace bascule::test {

template <int Words>
struct NativeKey {
    __u64 word[3] = {};
    std::uint32_t service = 0;

    bool operator==(const NativeKey&) const = default;
};

enum class Inserted { in_free, displaced, no_room, lost };

template <int Words>
class NativeTable {
public:
    static constexpr std::uint32_t sets_per_page =
        Words == BSC_KEY_WORDS_V4 ? BSC_SETS_PER_PAGE_V4 : BSC_SETS_PER_PAGE_V6;
    static constexpr std::uint32_t set_words = BSC_WAYS_PER_SET * (Words + 1);
    using Key = NativeKey<Words>;

    explicit NativeTable(std::uint32_t pages)
        : pages_(pages),
          words_(static_cast<__u64*>(std::aligned_alloc(4096, std::size_t{pages} * 4096))) {
        if (words_ == nullptr) throw std::bad_alloc();
        clear();
    }

    void clear() {
        for (std::size_t i = 0; i < std::size_t{pages_} * 512; i++)
            bsc_store(&words_.get()[i], 0);
    }
    std::uint32_t pages() const { return pages_; }
    std::size_t bytes() const { return std::size_t{pages_} * 4096; }
    __u64* words() const { return words_.get(); }

    bsc_place place(const Key& key) const {
        return bsc_place_of(
            bsc_place_hash(key.word, Words, key.service, table_key[0], table_key[1]), pages_,
            sets_per_page);
    }
    __u64* set(std::uint32_t index) const { return words() + std::size_t{index} * set_words; }

    bsc_found find(const Key& key) const {
        const bsc_place at = place(key);
        const bsc_found found = bsc_find_in(set(at.first), key.word, Words, key.service);
        if (found.way != nullptr) return found;
        return bsc_find_in(set(at.second), key.word, Words, key.service);
    }

    // One try of what XDP does for a new flow. `b` holds state, target and stamp.
    Inserted insert(const Key& key, __u64 b, std::uint32_t now, const NativeLimits* limits,
                    std::uint32_t allowed, __u64* taken = nullptr) const {
        const bsc_place at = place(key);
        __u64* first = set(at.first);
        __u64* second = set(at.second);
        const std::uint32_t choice = bsc_choose(first, second, Words, now, limits, allowed);
        if (choice == BSC_NO_WAY) return Inserted::no_room;
        __u64* way = bsc_way_at(first, second, bsc_position_of(choice), Words);
        const struct bsc_claim claim = bsc_claim(way, Words, now, limits, bsc_chosen_rank(choice));
        if (claim.way == nullptr) return Inserted::lost;
        if (taken != nullptr) *taken = claim.taken;
        b |= std::uint64_t{key.service} << BSC_B_SERVICE_SHIFT;
        const bsc_found mine = {claim.way, bsc_publish(&claim, key.word, Words, b)};
        int removed = 0;
        bsc_settle(first, second, key.word, Words, key.service, mine, &removed);
        return claim.rank == BSC_RANK_FREE ? Inserted::in_free : Inserted::displaced;
    }

    __u64 table_key[2] = {0x0123456789abcdefULL, 0xfedcba9876543210ULL};

private:
    struct Free {
        void operator()(__u64* words) const { std::free(words); }
    };
    std::uint32_t pages_;
    std::unique_ptr<__u64, Free> words_;
};

using TableV4 = NativeTable<BSC_KEY_WORDS_V4>;
using TableV6 = NativeTable<BSC_KEY_WORDS_V6>;

// The memory of a native IPv4 and IPv6 table, as the product's SessionTable takes it.
inline dataplane::SessionTable::Memory memory_of(const TableV4& v4, const TableV6& v6) {
    dataplane::SessionTable::Memory memory;
    memory.sets4 = v4.words();
    memory.pages4 = v4.pages();
    memory.sets6 = v6.words();
    memory.pages6 = v6.pages();
    memory.table_key[0] = v4.table_key[0];
    memory.table_key[1] = v4.table_key[1];
    return memory;
}

}  // namespace bascule::test
