// SPDX-License-Identifier: Apache-2.0
#include "model/ring_memo.h"

namespace bascule::model {

void RingMemo::note(std::uint16_t service, const std::vector<RingMember>& members,
                    std::uint32_t size, const Ring& ring) {
    notes_[service] = {members, size, ring};
}

bool RingMemo::gives(std::uint16_t service, const std::vector<RingMember>& members,
                     std::uint32_t size, const Ring& ring) const {
    const auto found = notes_.find(service);
    return found != notes_.end() && found->second.size == size && found->second.ring.shares(ring) &&
           found->second.members == members;
}

}  // namespace bascule::model
