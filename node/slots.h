// SPDX-License-Identifier: Apache-2.0
// Where services and backends stand in the tables, the other way round: from key to slot.
// Made for one answer: a look-up a backend instead of a walk over all of them. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "model/tables.h"

namespace bascule::node {

class Slots {
public:
    explicit Slots(const model::Tables& tables);

    // Nullopt: not in the tables (service slots count from 0, backend slots from 1).
    std::optional<std::uint16_t> service(const model::ServiceKey& key) const;
    std::optional<std::uint16_t> backend(const model::ServiceKey& service,
                                         const model::BackendKey& key) const;

private:
    std::map<model::ServiceKey, std::uint16_t> services_;
    std::map<std::pair<std::uint16_t, model::BackendKey>, std::uint16_t> backends_;
};

}  // namespace bascule::node
