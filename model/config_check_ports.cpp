// SPDX-License-Identifier: Apache-2.0
#include <iterator>
#include <map>
#include <tuple>

#include "model/config_check.h"
#include "model/port_prefix.h"

namespace bascule::model {
namespace {

using Listener = std::pair<Address, std::string_view>;  // VIP, protocol

std::string text_of(const Listener& listener) {
    return listener.first.to_string() + ' ' + std::string(listener.second);
}

// A port's own service comes before a range and a range before "any", so only likes collide.
class Ranges {
public:
    explicit Ranges(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

    void add(const Listener& listener, const PortRange& ports, Place place) {
        auto& ranges = by_listener_[listener];
        // Those that stand do not overlap: the last that begins before our end ends last, too.
        const auto after = ranges.upper_bound(ports.last);
        if (after != ranges.begin()) {
            const auto& [first, range] = *std::prev(after);
            if (range.ports.last >= ports.first) return refuse(listener, ports, place, range);
        }
        ranges.emplace(ports.first, Placed{ports, place});
    }

private:
    struct Placed {
        PortRange ports;
        Place place;
    };

    void refuse(const Listener& listener, const PortRange& ports, Place place,
                const Placed& other) {
        diagnostics_.add(place, "port: the range " + ports.to_string() + " of " +
                                    text_of(listener) + " overlaps " + other.ports.to_string() +
                                    " at " + diagnostics_.to_string(other.place));
    }

    Diagnostics& diagnostics_;
    std::map<Listener, std::map<std::uint16_t, Placed>> by_listener_;
};

}  // namespace

void check_ports(const Draft& draft, Diagnostics& diagnostics) {
    Unique<std::tuple<Listener, PortRange>> keys(diagnostics);
    Ranges ranges(diagnostics);
    std::size_t prefixes = 0;
    for (const ServiceDraft& service : draft.services) {
        if (!service.ports.value) continue;
        const PortRange& ports = *service.ports.value;
        const std::size_t before = prefixes;
        prefixes += prefixes_of(ports).size();
        // Said once, at the first that is too many.
        if (before <= most_port_prefixes && prefixes > most_port_prefixes)
            diagnostics.add(service.ports.place,
                            "port: with this range the ports of all services take " +
                                std::to_string(prefixes) + " prefixes; at most " +
                                std::to_string(most_port_prefixes) +
                                " are possible (a range that begins and ends at multiples of a "
                                "power of two takes the fewest)");
        if (!service.vip.value || !service.protocol.value) continue;
        const Listener listener{*service.vip.value, *service.protocol.value};
        if (ports.is_single() || ports.is_any())
            keys.add({listener, ports}, service.ports.place,
                     "a service on " + listener.first.to_string() + " port " + ports.to_string() +
                         ' ' + std::string(listener.second));
        else
            ranges.add(listener, ports, service.ports.place);
    }
}

}  // namespace bascule::model
