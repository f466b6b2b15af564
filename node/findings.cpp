// SPDX-License-Identifier: Apache-2.0
#include "node/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace bascule::node {

namespace {

constexpr std::size_t most_named = 3;
// An IP header and a TCP header without options.
constexpr unsigned headers_v4 = 40;
constexpr unsigned headers_v6 = 60;

// "a, b, c and 4 more"
template <typename Names>
std::string some(const Names& names) {
    std::string text;
    std::size_t told = 0;
    for (const auto& name : names) {
        if (told == most_named) break;
        text += (told++ == 0 ? "" : ", ") + name;
    }
    if (names.size() > told) text += fmt::format(" and {} more", names.size() - told);
    return text;
}

// A frame whose tag the NIC has taken off looks untagged to XDP, so what XDP sends back for it
// leaves without the tag, into another network.
void find_stripped(const std::vector<DeviceFacts>& devices, std::vector<Finding>& found) {
    for (const DeviceFacts& device : devices) {
        if (!device.strips_tags || device.vlans.empty()) continue;
        found.push_back({Finding::Level::problem,
                         fmt::format("{} takes VLAN tags off before XDP sees them: needed by {}",
                                     device.name, some(device.vlans)),
                         fmt::format("ethtool -K {} rxvlan off", device.name)});
    }
}

unsigned largest_mss(const WayFacts& way) {
    return way.mtu - way.overhead - (way.v6 ? headers_v6 : headers_v4);
}

// Clients whose packets do not fit are told by ICMP, once each; most never send one so large. So it
// is no problem, but explains a slow upload.
bool is_narrow(const WayFacts& way) {
    if (way.mtu <= way.overhead + headers_v6) return false;  // of no use: the backend says so
    if (way.arrival_mtu <= static_cast<unsigned>(way.mtu - way.overhead)) return false;
    return !way.tcp || way.mss_clamp == 0 || way.mss_clamp > largest_mss(way);
}

void find_narrow(const std::vector<WayFacts>& ways, std::vector<Finding>& found) {
    struct Cause {
        std::set<std::string> services;
        std::uint32_t arrival_mtu = 0;
        unsigned mss = 65535;
        bool tcp = false;
    };
    std::map<std::tuple<std::string, unsigned, unsigned>, Cause> causes;
    for (const WayFacts& way : ways) {
        if (!is_narrow(way)) continue;
        Cause& cause = causes[{way.interface, way.mtu, way.overhead}];
        cause.services.insert(way.service);
        cause.arrival_mtu = std::max(cause.arrival_mtu, way.arrival_mtu);
        cause.tcp |= way.tcp;
        if (way.tcp) cause.mss = std::min(cause.mss, largest_mss(way));
    }
    for (const auto& [key, cause] : causes) {
        const auto& [interface, mtu, overhead] = key;
        const std::string tunnel =
            overhead == 0 ? "" : fmt::format(", {} of them for the tunnel", overhead);
        std::string mend = fmt::format("let the way carry {} bytes", cause.arrival_mtu + overhead);
        if (cause.tcp) mend += fmt::format(", or set mss_clamp = {}", cause.mss);
        found.push_back(
            {Finding::Level::notice,
             fmt::format("{}: clients' packets over {} bytes are refused with \"too big\": the way "
                         "by {} carries {}{}",
                         some(cause.services), mtu - overhead, interface, mtu, tunnel),
             std::move(mend)});
    }
}

}  // namespace

std::vector<Finding> findings(const Facts& facts) {
    std::vector<Finding> found;
    find_stripped(facts.devices, found);
    find_narrow(facts.ways, found);
    return found;
}

}  // namespace bascule::node
