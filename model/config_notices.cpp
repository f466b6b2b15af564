// SPDX-License-Identifier: Apache-2.0
#include "model/config_notices.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "model/config_text.h"

namespace bascule::model {
namespace {

constexpr std::size_t most_named = 3;  // VIPs in a line

// Nodes that could all be the first of a VIP, by name.
std::vector<std::string> first_nodes(const ClusterConfig& cluster, const VipConfig& vip) {
    std::uint32_t highest = 0;
    for (const ClusterNodeConfig& node : cluster.nodes)
        highest = std::max(highest, cluster.priority_of(node.name, vip));
    std::vector<std::string> first;
    for (const ClusterNodeConfig& node : cluster.nodes)
        if (cluster.priority_of(node.name, vip) == highest) first.push_back(node.name);
    std::sort(first.begin(), first.end());
    return first;
}

std::string some(const std::vector<std::string>& vips) {
    std::string text;
    for (std::size_t i = 0; i < std::min(vips.size(), most_named); ++i)
        text += (i == 0 ? "" : ", ") + vips[i];
    if (vips.size() > most_named)
        text += " and " + std::to_string(vips.size() - most_named) + " more";
    return text;
}

}  // namespace

std::vector<std::string> notices(const Config& config) {
    if (!config.cluster) return {};
    // In the order of the file, each with the VIPs that it is true for.
    std::vector<std::pair<std::string, std::vector<std::string>>> ties;
    for (const VipConfig& vip : config.vips) {
        const std::vector<std::string> first = first_nodes(*config.cluster, vip);
        if (first.size() < 2) continue;
        const std::vector<std::string_view> names(first.begin(), first.end());
        const std::string what = joined(names) + " have the same priority (" +
                                 std::to_string(config.cluster->priority_of(first.front(), vip)) +
                                 "): who has it keeps it; where nobody has it " + first.front() +
                                 " takes it, the first by name";
        auto known = std::find_if(ties.begin(), ties.end(),
                                  [&](const auto& tie) { return tie.first == what; });
        if (known == ties.end()) known = ties.insert(ties.end(), {what, {}});
        known->second.push_back(vip.address.to_string());
    }
    std::vector<std::string> lines;
    for (const auto& [what, vips] : ties)
        lines.push_back(some(vips) + ": " + what);
    return lines;
}

}  // namespace bascule::model
