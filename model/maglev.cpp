// SPDX-License-Identifier: Apache-2.0
#include "model/maglev.h"

#include <algorithm>
#include <queue>
#include <span>

#include "bpf/contract.h"

namespace bascule::model {
namespace {

// FNV-1a over bytes, then the finalizer of SplitMix64, without which FNV's high bits of near
// addresses are alike. Part of what nodes must agree on: it may never change.
std::uint64_t hash(std::span<const std::uint8_t> bytes, std::uint64_t seed) {
    std::uint64_t h = 0xcbf29ce484222325u ^ seed;
    for (const std::uint8_t byte : bytes)
        h = (h ^ byte) * 0x100000001b3u;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}

// A walk over all slots in an order that the member's identity alone decides.
struct Permutation {
    std::uint32_t at = 0;
    std::uint32_t skip = 0;
};

Permutation permutation(const BackendKey& key, std::uint32_t size) {
    // Address, then port, as on the wire: no host's byte order is in it.
    std::array<std::uint8_t, 18> identity{};
    std::copy(key.address.bytes().begin(), key.address.bytes().end(), identity.begin());
    identity[16] = static_cast<std::uint8_t>(key.port >> 8);
    identity[17] = static_cast<std::uint8_t>(key.port & 0xff);
    const auto at = static_cast<std::uint32_t>(hash(identity, 0) % size);
    const auto skip = static_cast<std::uint32_t>(hash(identity, 0x9e3779b97f4a7c15u) % (size - 1));
    return {at, skip + 1};
}

// When a member takes its next slot: rounds first, then the order of identities.
struct Turn {
    std::uint64_t round;
    std::size_t member;

    bool operator>(const Turn& other) const {
        return round != other.round ? round > other.round : member > other.member;
    }
};

}  // namespace

std::vector<std::uint16_t> build_ring(std::vector<RingMember> members, std::uint32_t size) {
    std::erase_if(members, [](const RingMember& member) { return member.weight == 0; });
    // A skip visits every slot only when the size is a prime; otherwise the walk might not end.
    if (members.empty() || size < 3 || !is_prime(size)) return {};
    std::sort(members.begin(), members.end(),
              [](const RingMember& a, const RingMember& b) { return a.key < b.key; });
    const std::uint64_t heaviest = std::max_element(members.begin(), members.end(),
                                                    [](const RingMember& a, const RingMember& b) {
                                                        return a.weight < b.weight;
                                                    })
                                       ->weight;

    std::vector<Permutation> walks;
    std::vector<std::uint64_t> taken(members.size());
    std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns;
    for (std::size_t i = 0; i < members.size(); ++i) {
        walks.push_back(permutation(members[i].key, size));
        turns.push({0, i});
    }

    std::vector<std::uint16_t> ring(size);
    std::vector<bool> used(size);
    for (std::uint32_t filled = 0; filled < size; ++filled) {
        const std::size_t i = turns.top().member;
        turns.pop();
        Permutation& walk = walks[i];
        while (used[walk.at])
            walk.at = (walk.at + walk.skip) % size;
        used[walk.at] = true;
        ring[walk.at] = members[i].value;
        // The heaviest has a turn each round, the others every heaviest/weight rounds. All have
        // one in round 0, so that the lightest is not left without a slot.
        ++taken[i];
        turns.push({taken[i] * heaviest / members[i].weight, i});
    }
    return ring;
}

bool is_prime(std::uint32_t n) {
    if (n < 4) return n >= 2;
    if (n % 2 == 0) return false;
    for (std::uint64_t divisor = 3; divisor * divisor <= n; divisor += 2)
        if (n % divisor == 0) return false;
    return true;
}

std::uint32_t smallest_ring(std::size_t backends) {
    constexpr std::uint32_t slots_each = 100;
    if (backends > BSC_RING_MAX / slots_each) return 0;
    auto size = static_cast<std::uint32_t>(std::max<std::size_t>(backends, 1)) * slots_each;
    while (!is_prime(size))
        ++size;
    return size;
}

}  // namespace bascule::model
