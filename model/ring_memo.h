// SPDX-License-Identifier: Apache-2.0
// Of which members the ring of a service slot was built: a ring that would come out as it stands
// is not built again. With hundreds of services that is nearly all the work of a plan.
//
// Only a help: without it, or with one that knows nothing, the same plan comes out. Not for two
// threads at a time.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "model/maglev.h"
#include "model/ring.h"

namespace bascule::model {

class RingMemo {
public:
    // `ring` is what build_ring(members, size) gives.
    void note(std::uint16_t service, const std::vector<RingMember>& members, std::uint32_t size,
              const Ring& ring);

    // True when build_ring(members, size) is known to give just `ring`: that one which was noted,
    // or a copy of it.
    bool gives(std::uint16_t service, const std::vector<RingMember>& members, std::uint32_t size,
               const Ring& ring) const;

private:
    struct Note {
        std::vector<RingMember> members;
        std::uint32_t size = 0;
        Ring ring;
    };
    std::map<std::uint16_t, Note> notes_;  // by service slot
};

}  // namespace bascule::model
