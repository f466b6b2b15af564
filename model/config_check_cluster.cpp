// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/config_check.h"

namespace bascule::model {
namespace {

// From the last sign of life to the verdict. Less is noise, more helps nobody.
constexpr std::int64_t least_verdict = 30;     // milliseconds
constexpr std::int64_t most_verdict = 10'000;  // milliseconds

class ClusterChecker {
public:
    ClusterChecker(const ClusterDraft& cluster, const Draft& draft, const Surroundings& around,
                   Diagnostics& diagnostics)
        : cluster_(cluster), draft_(draft), around_(around), diagnostics_(diagnostics) {}

    void run() {
        check_times();
        check_names();
        check_count();
        check_paths();
        check_addresses();
        check_witnesses();
    }

private:
    void add(Place place, std::string message) { diagnostics_.add(place, std::move(message)); }

    void check_times() {
        if (!cluster_.heartbeat_interval.value || !cluster_.dead_after.value) return;
        const std::int64_t count = *cluster_.dead_after.value;
        const std::int64_t verdict = *cluster_.heartbeat_interval.value * count;
        if (verdict >= least_verdict && verdict <= most_verdict) return;
        const bool by_count = cluster_.dead_after.written;
        add(by_count ? cluster_.dead_after.place : cluster_.heartbeat_interval.place,
            std::string(by_count ? "dead_after" : "heartbeat_interval") +
                ": a node would be held for dead after " + std::to_string(count) + " times " +
                duration_text(Milliseconds(*cluster_.heartbeat_interval.value)) + ", " +
                duration_text(Milliseconds(verdict)) + " of silence: expected " +
                duration_text(Milliseconds(least_verdict)) + " to " +
                duration_text(Milliseconds(most_verdict)));
    }

    void check_names() {
        Unique<std::string> names(diagnostics_);
        bool all_known = true;
        for (const ClusterNodeDraft& node : cluster_.nodes) {
            all_known = all_known && node.name.value;
            if (node.name.value)
                names.add(*node.name.value, node.name.place,
                          "a node named " + quoted(*node.name.value));
        }
        // A name that could not be read may be this node's.
        if (!all_known || !draft_.whole || cluster_.nodes.empty()) return;
        if (draft_.name.written && !draft_.name.value) return;
        const std::string self = draft_.name.value.value_or(draft_.host_name);
        if (!is_name(self) || names.has(self)) return;
        std::vector<std::string_view> known;
        for (const ClusterNodeDraft& node : cluster_.nodes)
            known.push_back(*node.name.value);
        const std::string source =
            draft_.name.written
                ? "its 'name' in [node] at " + diagnostics_.to_string(draft_.name.place)
                : "its host name; 'name' in [node] would set another";
        add(draft_.name.written ? draft_.name.place : cluster_.place,
            "no [[cluster.node]] is named " + quoted(self) + ", which this node is by " + source +
                suggestion(self, known));
    }

    void check_count() {
        const std::size_t count = cluster_.nodes.size();
        if (count > most_cluster_nodes)
            add(cluster_.nodes[most_cluster_nodes].place,
                std::to_string(count) + " nodes in all; at most " +
                    std::to_string(most_cluster_nodes) + " are possible");
        // Others may be in what a syntax error hides.
        else if (count < 2 && draft_.whole)
            add(cluster_.place, count == 0 ? "a cluster has two [[cluster.node]] at least, this "
                                             "one and another; here is none"
                                           : "a cluster has two [[cluster.node]] at least, this "
                                             "one and another; here is one. A node by itself "
                                             "needs no [cluster]");
    }

    std::string name_of(const ClusterNodeDraft& node) const {
        return node.name.value ? quoted(*node.name.value) : "a node without a name";
    }

    // Path i joins address i of all nodes: each is held against the first node.
    void check_paths() {
        const ClusterNodeDraft* first = nullptr;
        for (const ClusterNodeDraft& node : cluster_.nodes) {
            if (!node.addresses.value) continue;
            if (first == nullptr)
                first = &node;
            else
                check_paths(*first, node);
        }
    }

    void check_paths(const ClusterNodeDraft& first, const ClusterNodeDraft& node) {
        const auto& theirs = *first.addresses.value;
        const auto& ours = *node.addresses.value;
        if (theirs.size() != ours.size())
            add(node.addresses.place, "addresses: " + name_of(node) + " has " +
                                          std::to_string(ours.size()) + ", " + name_of(first) +
                                          " has " + std::to_string(theirs.size()) + " (" +
                                          diagnostics_.to_string(first.addresses.place) +
                                          "): every node has one on every path");
        for (std::size_t path = 0; path < std::min(theirs.size(), ours.size()); ++path) {
            const auto& one = theirs[path];
            const auto& other = ours[path];
            if (!one.value || !other.value ||
                one.value->address.is_v4() == other.value->address.is_v4())
                continue;
            add(other.place, "addresses: " + other.value->address.to_string() + " and " +
                                 one.value->address.to_string() + " of " + name_of(first) + " (" +
                                 diagnostics_.to_string(one.place) +
                                 ") are one path, and of different IP versions");
        }
    }

    bool all_loopback() const {
        for (const ClusterNodeDraft& node : cluster_.nodes)
            if (node.addresses.value)
                for (const auto& address : *node.addresses.value)
                    if (address.value && !address.value->address.is_loopback()) return false;
        return true;
    }

    std::string why_not(const Address& address, bool loopback_may) const {
        if (address.is_loopback() && loopback_may) return {};
        if (const std::string_view what = unfit(address); !what.empty())
            return address.to_string() + " is " + std::string(what) + " and can be none of a node" +
                   (address.is_loopback() ? ", unless those of all nodes are" : "");
        if (!address.is_v4() && address.is_link_local())
            return address.to_string() +
                   " is a link-local address, which does not say by which interface";
        if (around_.vips.contains(address))
            return address.to_string() + " is a VIP and can be none of a node: it moves";
        return taken_for_probes(address, around_);
    }

    void check_addresses() {
        const bool loopback_may = all_loopback();
        Unique<Endpoint> unique(diagnostics_);
        for (const ClusterNodeDraft& node : cluster_.nodes) {
            if (!node.addresses.value) continue;
            for (const auto& one : *node.addresses.value) {
                if (!one.value) continue;
                const Address& address = one.value->address;
                // Nodes of one host, as tests have them, differ by their ports.
                unique.add({address, address.is_loopback() ? one.value->port : std::uint16_t{0}},
                           one.place, "address " + address.to_string() + " of a node");
                if (std::string why = why_not(address, loopback_may); !why.empty())
                    add(one.place, "addresses: " + why);
            }
        }
    }

    bool is_a_nodes(const Address& address) const {
        for (const ClusterNodeDraft& node : cluster_.nodes)
            if (node.addresses.value)
                for (const auto& one : *node.addresses.value)
                    if (one.value && one.value->address == address) return true;
        return false;
    }

    void check_witnesses() {
        if (!cluster_.witness.value) return;
        Unique<Address> unique(diagnostics_);
        for (const auto& one : *cluster_.witness.value) {
            if (!one.value) continue;
            const std::string text = one.value->to_string();
            unique.add(*one.value, one.place, "witness " + text);
            if (const std::string_view what = unfit(*one.value); !what.empty())
                add(one.place,
                    "witness: " + text + " is " + std::string(what) + " and can be no witness");
            else if (around_.vips.contains(*one.value) || is_a_nodes(*one.value))
                add(one.place, "witness: " + text +
                                   " is an address of this cluster; a witness is somebody else");
            else if (const std::string why = taken_for_probes(*one.value, around_); !why.empty())
                add(one.place, "witness: " + why);
        }
    }

    const ClusterDraft& cluster_;
    const Draft& draft_;
    const Surroundings& around_;
    Diagnostics& diagnostics_;
};

}  // namespace

void check_cluster(const Draft& draft, const Surroundings& around, Diagnostics& diagnostics) {
    if (draft.cluster) ClusterChecker(*draft.cluster, draft, around, diagnostics).run();
}

}  // namespace bascule::model
