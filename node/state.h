// SPDX-License-Identifier: Apache-2.0
// The one funnel: configuration, operator's word and neighbour table come together here, and what
// the data plane should hold comes out. Whatever changes a backend enters by this class.
//
// Pure: no clock, no socket. Thread: control.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/tables.h"
#include "node/operator_words.h"

namespace bascule::node {

// Of all that decides about a backend, what prevails, in this order.
enum class BackendCondition {
    unresolved,   // no MAC address: no new flows, its sessions move
    unknown,      // the kernel has not said yet: no new flows
    drained,      // by the operator: no new flows, its sessions stay
    zero_weight,  // by the file or the operator: the same
    up,
};

struct BackendView {
    const model::ServiceConfig* service;
    const model::BackendConfig* backend;
    BackendCondition condition;
    std::string reason;        // of `unresolved`
    std::uint32_t weight;      // effective; 0 when drained
    const OperatorWord* word;  // nullptr: the operator has said nothing
    std::optional<model::NextHop> next_hop;

    bool takes_flows() const { return condition == BackendCondition::up; }
};

class State {
public:
    State(model::Config config, OperatorWords words);

    const model::Config& config() const { return config_; }
    // Forgets the next hops of backends that are not in it.
    void set_config(model::Config config);

    const OperatorWords& words() const { return words_; }
    OperatorWords& words() { return words_; }

    // What the kernel says of a backend's address. `reason` says why there is no next hop.
    void set_next_hop(const Address& backend, std::optional<model::NextHop> next_hop,
                      std::string reason);
    // Next hops that an earlier process left in the tables count until the kernel has spoken; those
    // of backends that are not in the configuration never do.
    void assume_next_hops(const model::Tables& tables);

    // What is wanted of the data plane now, or with another configuration.
    model::Desired desired() const { return desired(config_); }
    model::Desired desired(const model::Config& config) const;

    BackendView view(const model::ServiceConfig& service,
                     const model::BackendConfig& backend) const;

    // Addresses of all backends of a configuration, each once.
    static std::vector<Address> backend_addresses(const model::Config& config);

private:
    struct Neighbour {
        std::optional<model::NextHop> next_hop;
        std::string reason;
    };

    model::Config config_;
    OperatorWords words_;
    std::map<Address, Neighbour> neighbours_;
};

model::ServiceKey key_of(const model::ServiceConfig& service);
model::BackendKey key_of(const model::BackendConfig& backend);

}  // namespace bascule::node
