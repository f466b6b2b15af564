// SPDX-License-Identifier: Apache-2.0
#include "model/vip_id.h"

namespace bascule::model {

VipId vip_id(const Address& vip) {
    constexpr VipId basis = 0x811c9dc5;
    constexpr VipId prime = 0x01000193;
    constexpr std::size_t v4_begins = 12;  // in a v4-mapped address
    VipId id = basis;
    const auto add = [&](std::uint8_t byte) { id = (id ^ byte) * prime; };
    add(vip.is_v4() ? 4 : 6);
    for (std::size_t i = vip.is_v4() ? v4_begins : 0; i < vip.bytes().size(); ++i)
        add(vip.bytes()[i]);
    return id;
}

}  // namespace bascule::model
