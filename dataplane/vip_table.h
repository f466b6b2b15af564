// SPDX-License-Identifier: Apache-2.0
// The VIPs in their map, and what each one's word of state says.
//
// Thread: control. Packets read at any moment: a VIP's state is right before its tag leads to it.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "dataplane/config_memory.h"
#include "model/tables.h"

namespace bascule::dataplane {

class VipTable {
public:
    explicit VipTable(const ConfigMemory& memory) : memory_(memory) {}

    // A VIP that stands under this id keeps its place, and packets find it all the while.
    Result<void> set(std::uint16_t id, const model::TableVip& vip);
    void remove(const Address& address);
    // 0: it is not a VIP.
    std::uint16_t id_of(const Address& address) const;

    // Bit L: prefixes of L bits lead to services of this VIP and protocol.
    void add_lengths(std::uint16_t id, model::Protocol protocol, std::uint16_t lengths);
    void set_lengths(std::uint16_t id, model::Protocol protocol, std::uint16_t lengths);

    // Takes away VIPs that stand twice, and the state of ids that no VIP has.
    void repair();

private:
    bsc_vip* find(const Address& address) const;

    ConfigMemory memory_;
};

}  // namespace bascule::dataplane
