// SPDX-License-Identifier: Apache-2.0
// What the checks say of a backend, as the funnel needs it. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "health/damper.h"

namespace bascule::node {

struct HealthWord {
    health::Health health = health::Health::unchecked;
    std::uint32_t weight_percent = 100;
    std::string reason;

    bool operator==(const HealthWord&) const = default;
};

}  // namespace bascule::node
