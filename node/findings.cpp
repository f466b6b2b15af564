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
// IPv6 and TCP headers.
constexpr unsigned smallest_packet = 60;

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

// Clients whose packets do not fit are told by ICMP, once each; most never send one so large. So it
// is no problem, but explains a slow upload. (A clamp of the service would not help: what a client
// may send is bounded by the SYN-ACK, which does not come this way.)
bool is_narrow(const WayFacts& way) {
    if (way.mtu <= way.overhead + smallest_packet) return false;  // of no use: the backend says so
    return way.arrival_mtu > static_cast<unsigned>(way.mtu - way.overhead);
}

void find_narrow(const std::vector<WayFacts>& ways, std::vector<Finding>& found) {
    struct Cause {
        std::set<std::string> services;
        std::uint32_t arrival_mtu = 0;
    };
    std::map<std::tuple<std::string, unsigned, unsigned>, Cause> causes;
    for (const WayFacts& way : ways) {
        if (!is_narrow(way)) continue;
        Cause& cause = causes[{way.interface, way.mtu, way.overhead}];
        cause.services.insert(way.service);
        cause.arrival_mtu = std::max(cause.arrival_mtu, way.arrival_mtu);
    }
    for (const auto& [key, cause] : causes) {
        const auto& [interface, mtu, overhead] = key;
        const std::string tunnel =
            overhead == 0 ? "" : fmt::format(", {} of them for the tunnel", overhead);
        found.push_back(
            {Finding::Level::notice,
             fmt::format("{}: clients' packets over {} bytes are refused with \"too big\": the way "
                         "by {} carries {}{}",
                         some(cause.services), mtu - overhead, interface, mtu, tunnel),
             fmt::format("let the way carry {} bytes; TCP is spared where bascule-backend runs on "
                         "the servers",
                         cause.arrival_mtu + overhead)});
    }
}

// One that is reached tells that the family works here; each of the others has its own reason.
void find_routeless(const std::vector<FamilyFacts>& families, std::vector<Finding>& found) {
    for (const FamilyFacts& family : families) {
        if (family.backends == 0 || family.without_route < family.backends) continue;
        const char* const name = family.v6 ? "IPv6" : "IPv4";
        const char* const flag = family.v6 ? "-6" : "-4";
        std::string what = fmt::format(
            "no {} backend can be reached: this host has no route to any of them", name);
        std::string mend = fmt::format("`ip {} address`, `ip {} route`", flag, flag);
        if (!family.addressless.empty()) {
            const std::string& interface = family.addressless.front();
            what += fmt::format(", and {} has no {} address", interface, name);
            mend = fmt::format(
                "set its addresses again (`networkctl reconfigure {}`, `ifreload -a`)", interface);
            if (family.v6) mend += ": Linux takes IPv6 addresses away when an interface goes down";
        }
        found.push_back({Finding::Level::problem, std::move(what), std::move(mend)});
    }
}

}  // namespace

std::vector<Finding> findings(const Facts& facts) {
    std::vector<Finding> found;
    find_stripped(facts.devices, found);
    find_narrow(facts.ways, found);
    find_routeless(facts.families, found);
    return found;
}

}  // namespace bascule::node
