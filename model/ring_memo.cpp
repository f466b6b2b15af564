// SPDX-License-Identifier: Apache-2.0
#include "model/ring_memo.h"

#include <functional>
#include <string_view>

namespace bascule::model {
namespace {

std::size_t digest_of(const Ring& ring) {
    const auto* bytes = reinterpret_cast<const char*>(ring.data());
    return std::hash<std::string_view>()({bytes, ring.size() * sizeof(ring[0])});
}

}  // namespace

void RingMemo::note(std::uint16_t service, const std::vector<RingMember>& members,
                    std::uint32_t size, const Ring& ring) {
    notes_[service] = {members, size, digest_of(ring)};
}

bool RingMemo::gives(std::uint16_t service, const std::vector<RingMember>& members,
                     std::uint32_t size, const Ring& ring) const {
    const auto found = notes_.find(service);
    return found != notes_.end() && found->second.size == size &&
           found->second.members == members && found->second.digest == digest_of(ring);
}

}  // namespace bascule::model
