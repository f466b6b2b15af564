// SPDX-License-Identifier: Apache-2.0
// Names for what the data plane calls by slot. Made for one answer: true until the daemon changes
// something. Thread: control.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "model/config.h"
#include "model/tables.h"

namespace bascule::node {

class SlotNames {
public:
    using Backend = std::pair<const model::ServiceConfig*, const model::BackendConfig*>;

    SlotNames(const model::Config& config, const model::Tables& tables);

    // nullptr: the slot is free, or what is in it is no longer in the configuration.
    const model::ServiceConfig* service(std::uint16_t slot) const;
    // Both nullptr: as above.
    Backend backend(std::uint16_t slot) const;
    // "web/web1"; empty: as above.
    std::string backend_name(std::uint16_t slot) const;

private:
    std::map<std::uint16_t, const model::ServiceConfig*> services_;
    std::map<std::uint16_t, Backend> backends_;
};

}  // namespace bascule::node
