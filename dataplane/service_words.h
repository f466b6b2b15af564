// SPDX-License-Identifier: Apache-2.0
// The words by which packets find their service: one for each port prefix of each service.
//
// Thread: control. Invariant: where a service of one port and a range meet in one word, it leads
// to the service of one port; where two ranges do, to the one that came last. A VIP's lengths name
// every prefix length in use before any other service loses a packet by it: words stand before the
// bit that leads to them, and the bit goes before they do.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "dataplane/config_memory.h"
#include "dataplane/vip_table.h"
#include "model/port_prefix.h"
#include "model/tables.h"

namespace bascule::dataplane {

model::ServiceKey key_of_entry(const bsc_service& entry);

class ServiceWords {
public:
    ServiceWords(const ConfigMemory& memory, VipTable& vips) : memory_(memory), vips_(vips) {}

    // The entries of the services stand in their slots already, and still do.
    Result<void> publish(std::uint16_t slot, const model::ServiceKey& key);
    Result<void> withdraw(std::uint16_t slot, const model::ServiceKey& key);

    // Takes away words that lead to no service, and all words of a service that has only some of
    // its own. Returns the slots in use that no packet finds from then on.
    std::vector<std::uint16_t> repair();

private:
    bool in_use(std::size_t slot) const;
    // None: the VIP is gone.
    std::uint64_t word_key(std::uint16_t vip, const model::ServiceKey& key,
                           const model::PortPrefix& prefix) const;
    __u64* find(std::uint64_t word_key) const;
    bool leads_to_single(std::uint64_t word) const;
    std::uint16_t lengths_of(const model::ServiceKey& key, std::size_t without) const;
    std::uint64_t successor(const model::ServiceKey& key, std::size_t without) const;
    void drop_strangers();
    bool is_whole(std::uint16_t slot, const model::ServiceKey& key) const;
    void drop_words_of(std::uint16_t slot);

    ConfigMemory memory_;
    VipTable& vips_;
};

}  // namespace bascule::dataplane
