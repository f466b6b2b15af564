// SPDX-License-Identifier: Apache-2.0
// What the data plane calls by slot, by the names that peers know it by, and back. A value that is
// made whenever services or backends of the tables change, and never changes itself. Any thread.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "model/plan.h"
#include "model/tables.h"
#include "sync/session_record.h"

namespace bascule::node {

class SessionIds {
public:
    struct Service {
        sync::ServiceId id = 0;
        std::uint16_t slot = 0;
        std::uint32_t established_limit = 0;  // seconds
        model::ServiceKey key;

        // Whether the data plane could ever have such a session of it.
        bool fits(const sync::Flow& flow) const;
    };
    struct Target {
        sync::TargetId id = 0;
        std::uint16_t service = 0;  // slot
        std::uint16_t backend = 0;  // slot
        std::uint8_t generation = 0;
    };

    SessionIds() = default;  // of empty tables
    explicit SessionIds(const model::Tables& tables);
    // As these are, without what the plan takes away.
    SessionIds without_retired(const model::Plan& plan) const;

    // nullptr: not in the tables.
    const Service* service(std::uint16_t slot) const;
    const Service* service_by_id(sync::ServiceId id) const;
    // Of this service alone; nullptr: not in the tables, or the slot is another backend's by now.
    const Target* target(std::uint16_t service, std::uint16_t backend,
                         std::uint8_t generation) const;
    const Target* target_by_id(sync::ServiceId service, sync::TargetId id) const;

    // Of all backends, sorted, each once.
    std::vector<sync::TargetId> targets() const;

private:
    void add(const Service& service);
    void add(const Target& target);

    // By slot; an id of 0 is nothing. Of two things with one id the first counts.
    std::vector<Service> services_;
    std::vector<Target> targets_;
    std::unordered_map<sync::ServiceId, std::uint16_t> service_slots_;
    std::unordered_map<sync::TargetId, std::uint16_t> backend_slots_;
};

// Whether a plan changes what SessionIds are made of; and whether it takes something of it away.
bool changes_ids(const model::Plan& plan);
bool retires_ids(const model::Plan& plan);

}  // namespace bascule::node
