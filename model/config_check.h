// SPDX-License-Identifier: Apache-2.0
// What the checks across keys share.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/config_draft.h"
#include "model/config_text.h"

namespace bascule::model {

// Remembers where each key was first, and complains of the next.
template <typename Key>
class Unique {
public:
    explicit Unique(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

    bool has(const Key& key) const { return first_.contains(key); }

    void add(const Key& key, Place place, const std::string& what) {
        const auto [first, fresh] = first_.emplace(key, place);
        if (!fresh)
            diagnostics_.add(
                place, what + " is there already at " + diagnostics_.to_string(first->second));
    }

private:
    Diagnostics& diagnostics_;
    std::map<Key, Place> first_;
};

// Why no packet may be sent to or from this address, whatever it is for; empty: it may.
std::string_view unfit(const Address& address);

// What a service is checked against.
struct Surroundings {
    std::set<Address> vips;
    std::vector<Network> probe_networks;
    bool whole = true;               // see Draft
    bool too_many_backends = false;  // in all, which is said already
};

// Why nothing of the configuration may have this address: "in the probe network …"; empty: it may.
std::string taken_for_probes(const Address& address, const Surroundings& around);

// A sane segment size, where one is written.
void check_mss_clamp(const ForwardDraft& forward, Diagnostics& diagnostics);

// One service and its backends.
void check_service(const ServiceDraft& service, const Surroundings& around,
                   Diagnostics& diagnostics);

// The checks of a service, its quorum, and what its backends say of both.
void check_health(const ServiceDraft& service, const Surroundings& around,
                  Diagnostics& diagnostics);

// What single checks send and expect: pages, names, expressions.
void check_probe(const HealthDraft& health, Diagnostics& diagnostics);

// Whether Linux would send a packet there, and nobody else has these addresses.
void check_probe_network(const Placed<Address>& network, Diagnostics& diagnostics);

// The nodes of the cluster, and that this one is of them.
void check_cluster(const Draft& draft, const Surroundings& around, Diagnostics& diagnostics);

// How many VIPs a cluster can speak of, and which of its nodes they name.
void check_cluster_vips(const Draft& draft, Diagnostics& diagnostics);

// Services that want the same ports, and more ranges than the data plane holds.
void check_ports(const Draft& draft, Diagnostics& diagnostics);

}  // namespace bascule::model
