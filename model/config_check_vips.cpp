// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/config_check.h"
#include "model/vip_id.h"

namespace bascule::model {
namespace {

class VipChecker {
public:
    VipChecker(const Draft& draft, Diagnostics& diagnostics)
        : draft_(draft), diagnostics_(diagnostics) {}

    void run() {
        if (draft_.cluster) {
            check_count();
            check_ids();
        }
        for (const VipDraft& vip : draft_.vips)
            if (vip.priority.value) check_priority(vip);
    }

private:
    void add(Place place, std::string message) { diagnostics_.add(place, std::move(message)); }

    void check_count() {
        const std::size_t count = draft_.vips.size();
        if (count > most_vips)
            add(draft_.vips[most_vips].place, std::to_string(count) + " VIPs in all; at most " +
                                                  std::to_string(most_vips) +
                                                  " are possible in a cluster");
    }

    // One address twice is said elsewhere.
    void check_ids() {
        std::map<VipId, const VipDraft*> first;
        for (const VipDraft& vip : draft_.vips) {
            if (!vip.address.value) continue;
            const Address& address = *vip.address.value;
            const auto [entry, fresh] = first.emplace(vip_id(address), &vip);
            const Placed<Address>& other = entry->second->address;
            if (!fresh && *other.value != address)
                add(vip.address.place,
                    "the nodes of a cluster cannot tell " + address.to_string() + " and " +
                        other.value->to_string() + " (" + diagnostics_.to_string(other.place) +
                        ") apart: their numbers in heartbeats are the same by chance. Take "
                        "another address for one of them");
        }
    }

    void check_priority(const VipDraft& vip) {
        if (!draft_.cluster) {
            // It may be in what a syntax error hides.
            if (draft_.whole)
                add(vip.priority.place, "priority: there is no [cluster] that has nodes");
            return;
        }
        std::vector<std::string_view> known;
        for (const ClusterNodeDraft& node : draft_.cluster->nodes)
            if (node.name.value) known.push_back(*node.name.value);
        // A node whose name could not be read may be the one that is meant.
        if (!draft_.whole || known.size() != draft_.cluster->nodes.size()) return;
        for (const NamedInteger& one : *vip.priority.value) {
            const std::string& name = *one.name.value;
            if (std::find(known.begin(), known.end(), name) == known.end())
                add(one.name.place, "priority: no [[cluster.node]] is named " + quoted(name) +
                                        suggestion(name, known));
        }
    }

    const Draft& draft_;
    Diagnostics& diagnostics_;
};

}  // namespace

void check_cluster_vips(const Draft& draft, Diagnostics& diagnostics) {
    VipChecker(draft, diagnostics).run();
}

}  // namespace bascule::model
