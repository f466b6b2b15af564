// SPDX-License-Identifier: Apache-2.0
// Carries a plan's writes into the config maps. Nobody else writes them.
//
// Thread: control. Packets read at any moment between two stores, so each thing a packet goes by
// is one aligned 8-byte store, made after what it leads to.
#pragma once

#include "base/result.h"
#include "dataplane/config_memory.h"
#include "dataplane/counters.h"
#include "dataplane/egress.h"
#include "dataplane/service_words.h"
#include "dataplane/vip_table.h"
#include "model/plan.h"

namespace bascule::dataplane {

class ConfigWriter {
public:
    ConfigWriter(const ConfigMemory& memory, Counters& counters);
    ConfigWriter(const ConfigWriter&) = delete;
    ConfigWriter& operator=(const ConfigWriter&) = delete;

    // The error names the write.
    Result<void> write(const model::Write& write);
    // After the last write, and when tables were adopted: lets go of what they no longer need.
    Result<void> settle(const model::Tables& tables);

    // After an earlier process died at any point: takes away words that lead to no service,
    // services that no word leads to, and VIPs that stand twice, so that the tables are what a
    // plan would have made.
    void repair();

private:
    struct Visitor;

    Result<void> set_service(const model::SetService& write);
    void clear_service(std::uint16_t slot);
    Result<void> set_backend(const model::SetBackend& write);
    void clear_backend(const model::ClearBackend& write);
    Result<void> set_ring(std::uint16_t service, const model::Ring& ring);
    Result<void> remove_ring(std::uint16_t service);

    ConfigMemory memory_;
    Counters& counters_;
    VipTable vips_;
    ServiceWords words_;
    Egress egress_;
};

}  // namespace bascule::dataplane
