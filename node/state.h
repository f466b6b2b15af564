// SPDX-License-Identifier: Apache-2.0
// The one funnel: configuration, checks, operator's word and neighbour table come together here,
// and what the data plane should hold comes out. Whatever changes a backend enters by this class.
// What was said of each thing last decides, in whatever order things were said.
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
#include "node/health_word.h"
#include "node/neighbour_state.h"
#include "node/operator_words.h"

namespace bascule::node {

// Of all that decides about a backend, what prevails, in this order.
enum class BackendCondition {
    disabled,     // by the operator: no new flows, its sessions move
    unresolved,   // it cannot be reached: no new flows, its sessions move
    unknown,      // the kernel has not said yet: no new flows
    down,         // its checks fail: no new flows, its sessions move
    checking,     // no check has ended yet: no new flows
    drained,      // by the operator: no new flows, its sessions stay
    zero_weight,  // by the file, the operator or a check: the same
    standby,      // a backup while others serve: the same
    up,
};

struct BackendView {
    const model::ServiceConfig* service = nullptr;
    const model::BackendConfig* backend = nullptr;
    BackendCondition condition = BackendCondition::up;
    std::string reason;        // of `unresolved` and `down`
    std::uint32_t weight = 0;  // effective; 0 when drained, disabled or without a verdict
    health::Health health = health::Health::unchecked;
    const OperatorWord* word = nullptr;      // nullptr: the operator has said nothing
    std::optional<model::NextHop> next_hop;  // all zero with Forward::local
    model::Delivery delivery;                // as far as it is known
    // Of a drained one: as counted since; 0: its last session is gone.
    std::optional<std::uint64_t> drained_sessions;

    bool takes_flows() const { return condition == BackendCondition::up; }
};

// A service as a whole.
struct ServiceView {
    std::uint32_t able = 0;      // backends that could serve, backups included
    std::uint32_t unjudged = 0;  // that may turn out to be able: no word on them yet
    // Fewer than the quorum: nothing takes new flows, whatever a backend's own condition.
    bool below_quorum = false;
};

class State {
public:
    State(model::Config config, OperatorWords words);

    const model::Config& config() const { return config_; }
    // Forgets what was said of backends and VIPs that are not in it.
    void set_config(model::Config config);

    const OperatorWords& words() const { return words_; }
    OperatorWords& words() { return words_; }

    DrainWatch& drains() { return drains_; }

    // What the kernel says of a backend's address.
    void set_neighbour(const NeighbourState& neighbour);
    // Whether this node has the address of a VIP; not, before it is said.
    void set_held(const Address& vip, bool held);
    // What the checks say of a backend. It counts as long as the name stands for this address and
    // port. A checked backend of which nothing was said is `checking`, but one that served
    // unchecked until now is believed to be up.
    void set_health(const BackendName& backend, const model::BackendKey& key,
                    const HealthWord& word);
    // What an earlier process left in the tables: next hops and health count until the kernel and
    // the checks have spoken, those of backends that are not in the configuration never do; and
    // VIPs count as held if they were.
    void assume(const model::Tables& tables);

    // Programs of an earlier process go by tables that cannot be read: checked backends of which
    // nothing is known are `checking`, and take flows until they are judged, as there they may.
    void presume();

    // What is wanted of the data plane now, or with another configuration.
    model::Desired desired() const { return desired(config_); }
    model::Desired desired(const model::Config& config) const;

    BackendView view(const model::ServiceConfig& service,
                     const model::BackendConfig& backend) const;

    ServiceView view(const model::ServiceConfig& service) const {
        return view(config_.node, service);
    }
    // Of a service of another configuration.
    ServiceView view(const model::NodeConfig& node, const model::ServiceConfig& service) const;
    health::Health health(const model::ServiceConfig& service,
                          const model::BackendConfig& backend) const {
        return health_of(service, backend).health;
    }

    bool is_held(const Address& vip) const;
    // Whether this node may have a VIP as far as services go, now or with another configuration:
    // not when a service of it that gives its VIP up is below its quorum. Where the quorum hangs on
    // backends that no check has judged, it stays where it is.
    bool wants_vip(const Address& vip) const { return wants_vip(vip, config_); }
    bool wants_vip(const Address& vip, const model::Config& config) const;

    // Addresses of all backends of a configuration that are other hosts, each once.
    static std::vector<Address> backend_addresses(const model::Config& config);

private:
    struct Believed {
        model::BackendKey key;
        HealthWord word;
        bool presumed = false;  // to be up, while `checking`
    };

    // Of this backend alone: `up` for a backup that could serve.
    BackendView own_view(const model::NodeConfig& node, const model::ServiceConfig& service,
                         const model::BackendConfig& backend) const;
    HealthWord health_of(const model::ServiceConfig& service,
                         const model::BackendConfig& backend) const;
    // nullptr: nothing is known of it at its address and port.
    const Believed* believed(const model::ServiceConfig& service,
                             const model::BackendConfig& backend) const;
    void assume_neighbours(const model::Tables& tables);
    void assume_health(const model::Tables& tables);
    void keep_health();

    model::Config config_;
    OperatorWords words_;
    DrainWatch drains_;
    std::map<Address, NeighbourState> neighbours_;
    std::map<Address, bool> held_;
    std::map<BackendName, Believed> health_;
};

model::ServiceKey key_of(const model::ServiceConfig& service);
model::BackendKey key_of(const model::BackendConfig& backend);

}  // namespace bascule::node
