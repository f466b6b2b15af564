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
#include "node/drain_watch.h"
#include "node/neighbour_state.h"
#include "node/operator_words.h"

namespace bascule::node {

// Of all that decides about a backend, what prevails, in this order.
enum class BackendCondition {
    disabled,     // by the operator: no new flows, its sessions move
    unresolved,   // it cannot be reached: no new flows, its sessions move
    unknown,      // the kernel has not said yet: no new flows
    drained,      // by the operator: no new flows, its sessions stay
    zero_weight,  // by the file or the operator: the same
    standby,      // a backup while others serve: the same
    up,
};

struct BackendView {
    const model::ServiceConfig* service = nullptr;
    const model::BackendConfig* backend = nullptr;
    BackendCondition condition = BackendCondition::up;
    std::string reason;                      // of `unresolved`
    std::uint32_t weight = 0;                // effective; 0 when drained or disabled
    const OperatorWord* word = nullptr;      // nullptr: the operator has said nothing
    std::optional<model::NextHop> next_hop;  // all zero with Forward::local
    model::Delivery delivery;                // as far as it is known
    // Of a drained one: as counted since; 0: its last session is gone.
    std::optional<std::uint64_t> drained_sessions;

    bool takes_flows() const { return condition == BackendCondition::up; }
};

class State {
public:
    State(model::Config config, OperatorWords words);

    const model::Config& config() const { return config_; }
    // Forgets the neighbours and VIPs that are not in it.
    void set_config(model::Config config);

    const OperatorWords& words() const { return words_; }
    OperatorWords& words() { return words_; }

    DrainWatch& drains() { return drains_; }

    // What the kernel says of a backend's address.
    void set_neighbour(const NeighbourState& neighbour);
    // Whether this node has the address of a VIP; not, before it is said.
    void set_held(const Address& vip, bool held);
    // What an earlier process left in the tables: next hops count until the kernel has spoken,
    // those of backends that are not in the configuration never do; and VIPs count as held if they
    // were.
    void assume(const model::Tables& tables);

    // What is wanted of the data plane now, or with another configuration.
    model::Desired desired() const { return desired(config_); }
    model::Desired desired(const model::Config& config) const;

    BackendView view(const model::ServiceConfig& service,
                     const model::BackendConfig& backend) const;

    // Addresses of all backends of a configuration that are other hosts, each once.
    static std::vector<Address> backend_addresses(const model::Config& config);

private:
    // Of this backend alone: `up` for a backup that could serve.
    BackendView own_view(const model::NodeConfig& node, const model::ServiceConfig& service,
                         const model::BackendConfig& backend) const;

    model::Config config_;
    OperatorWords words_;
    DrainWatch drains_;
    std::map<Address, NeighbourState> neighbours_;
    std::map<Address, bool> held_;
};

model::ServiceKey key_of(const model::ServiceConfig& service);
model::BackendKey key_of(const model::BackendConfig& backend);

}  // namespace bascule::node
