// SPDX-License-Identifier: Apache-2.0
// Carries a plan's writes into the config maps. Nobody else writes them.
//
// Thread: control. Packets read at any moment between two stores, so each thing a packet goes by
// is one aligned 8-byte store, made after what it leads to.
#pragma once

#include <optional>

#include "base/result.h"
#include "dataplane/config_memory.h"
#include "dataplane/counters.h"
#include "model/plan.h"

namespace bascule::dataplane {

class ConfigWriter {
public:
    ConfigWriter(const ConfigMemory& memory, Counters& counters);

    // The error names the write.
    Result<void> write(const model::Write& write);

    // After an earlier process died at any point: takes away words that lead to no service,
    // services that no word leads to, and VIPs that stand twice, so that the tables are what a
    // plan would have made.
    void repair();

private:
    struct Visitor;

    Result<void> set_vip(std::uint16_t id, const Address& address);
    void remove_vip(const Address& address);
    bsc_vip* find_vip(const Address& address);
    std::uint16_t vip_id(const Address& address);
    Result<std::uint64_t> service_key(const model::ServiceKey& key);
    std::optional<std::uint64_t> key_of_entry(const bsc_service& entry);
    Result<void> set_service(const model::SetService& write);
    void clear_service(std::uint16_t slot);
    Result<void> publish(const model::PublishService& write);
    Result<void> withdraw(const model::WithdrawService& write);
    Result<void> set_backend(const model::SetBackend& write);
    void clear_backend(const model::ClearBackend& write);
    Result<void> set_ring(std::uint16_t service, const model::Ring& ring);
    Result<void> remove_ring(std::uint16_t service);
    void repair_words();
    void repair_services();
    void repair_vips();

    ConfigMemory memory_;
    Counters& counters_;
};

}  // namespace bascule::dataplane
