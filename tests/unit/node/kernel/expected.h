// SPDX-License-Identifier: Apache-2.0
// What the tables should say after all that was told: the rules once more, in a few lines that
// share nothing with node/state and model/plan.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/node/random_world.h"

namespace bascule::node::testing {

struct ExpectedBackend {
    bool up = false;
    bool resolved = false;
    std::uint32_t weight = 0;  // 0: not in the ring

    bool operator==(const ExpectedBackend&) const = default;
};

struct ExpectedService {
    std::map<model::BackendKey, ExpectedBackend> backends;
};

class Expected {
public:
    explicit Expected(const model::Config& config) : config_(config) { believe(); }

    void tell(const Fact& fact);

    std::map<model::ServiceKey, ExpectedService> services() const;
    std::map<Address, bool> vips() const;  // held

private:
    struct Known {
        model::BackendKey key;
        HealthWord word;
    };
    void believe();
    ExpectedService service(const model::ServiceConfig& config) const;
    ExpectedBackend backend(const model::ServiceConfig& service,
                            const model::BackendConfig& config) const;

    model::Config config_;
    std::map<BackendName, Known> health_;
    std::map<BackendName, OperatorWord> words_;
    std::map<Address, NeighbourState> ways_;
    std::map<Address, bool> held_;
};

}  // namespace bascule::node::testing
