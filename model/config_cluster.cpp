// SPDX-License-Identifier: Apache-2.0
#include "model/config_cluster.h"

#include <algorithm>

#include "model/config_words.h"

namespace bascule::model {
namespace {

constexpr Word<Failback> failbacks[] = {{"when-synced", Failback::when_synced},
                                        {"never", Failback::never}};

ClusterNodeDraft read_node(SectionReader& reader) {
    return {reader.place(), reader.text("name"), reader.endpoints("addresses"),
            reader.integer("priority")};
}

ClusterNodeConfig node_of(const ClusterNodeDraft& draft, const Diagnostics& diagnostics) {
    ClusterNodeConfig node;
    node.name = *draft.name.value;
    for (const auto& address : *draft.addresses.value)
        node.addresses.push_back(*address.value);
    node.priority = number(draft.priority);
    node.origin = diagnostics.origin(draft.place);
    return node;
}

}  // namespace

const char* name_of(Failback failback) {
    return word_of(failback, failbacks);
}

std::string Endpoint::to_string() const {
    const std::string host =
        address.is_v4() ? address.to_string() : '[' + address.to_string() + ']';
    return host + ':' + std::to_string(port);
}

const ClusterNodeConfig* ClusterConfig::find(std::string_view node) const {
    const auto found = std::find_if(nodes.begin(), nodes.end(),
                                    [&](const ClusterNodeConfig& one) { return one.name == node; });
    return found == nodes.end() ? nullptr : &*found;
}

std::uint32_t ClusterConfig::priority_of(std::string_view node, const VipConfig& vip) const {
    const ClusterNodeConfig* config = find(node);
    if (config == nullptr) return 0;
    const auto own = vip.priority.find(std::string(node));
    return own == vip.priority.end() ? config->priority : own->second;
}

ClusterDraft read_cluster(SectionReader& reader) {
    ClusterDraft cluster;
    cluster.place = reader.place();
    cluster.name = reader.text("name");
    cluster.key_file = reader.file("key_file");
    cluster.heartbeat_interval = reader.milliseconds("heartbeat_interval");
    cluster.dead_after = reader.integer("dead_after");
    cluster.failback = reader.choice("failback");
    cluster.failback_delay = reader.milliseconds("failback_delay");
    cluster.witness = reader.addresses("witness");
    for (SectionReader& node : reader.sections("node"))
        cluster.nodes.push_back(read_node(node));
    return cluster;
}

ClusterConfig cluster_of(const ClusterDraft& draft, const Diagnostics& diagnostics) {
    ClusterConfig cluster;
    cluster.name = *draft.name.value;
    cluster.key_file = draft.key_file.value.value_or(cluster.key_file);
    cluster.heartbeat_interval = Milliseconds(*draft.heartbeat_interval.value);
    cluster.dead_after = number(draft.dead_after);
    cluster.failback = meaning(draft.failback, failbacks);
    cluster.failback_delay = Milliseconds(*draft.failback_delay.value);
    if (draft.witness.value)
        for (const auto& address : *draft.witness.value)
            cluster.witness.push_back(*address.value);
    for (const ClusterNodeDraft& node : draft.nodes)
        cluster.nodes.push_back(node_of(node, diagnostics));
    cluster.origin = diagnostics.origin(draft.place);
    cluster.key_origin = diagnostics.origin(draft.key_file.place);
    return cluster;
}

}  // namespace bascule::model
