// SPDX-License-Identifier: Apache-2.0
#include "model/port_prefix.h"

namespace bascule::model {

std::string PortRange::to_string() const {
    if (is_any()) return "any";
    if (is_single()) return std::to_string(first);
    return std::to_string(first) + '-' + std::to_string(last);
}

std::vector<PortPrefix> prefixes_of(const PortRange& ports) {
    std::vector<PortPrefix> prefixes;
    std::uint32_t next = ports.first;
    while (next <= ports.last) {
        // The largest block that begins here and does not go beyond the end.
        std::uint32_t length = 16;
        while (length > 0) {
            const std::uint32_t size = 1U << (17 - length);
            if (next % size != 0 || next + size - 1 > ports.last) break;
            --length;
        }
        prefixes.push_back({static_cast<std::uint16_t>(next), static_cast<std::uint8_t>(length)});
        next += 1U << (16 - length);
    }
    return prefixes;
}

}  // namespace bascule::model
