// SPDX-License-Identifier: Apache-2.0
#include "bpf/contract.h"
#include "model/config_check.h"
#include "model/config_schema_tables.h"

namespace bascule::model {
namespace {

class HealthChecker {
public:
    HealthChecker(const ServiceDraft& service, const Surroundings& around, Diagnostics& diagnostics)
        : service_(service), health_(service.health), around_(around), diagnostics_(diagnostics) {}

    void run() {
        check_quorum();
        for (const BackendDraft& backend : service_.backends)
            check_backend(backend);
        if (!health_.type.value || health_.is("none")) return;
        check_schedule();
        check_way();
        check_source();
        check_give_up();
        if (health_.is("exec") && !health_.program.command.written)
            add(health_.place, "missing key 'command' in [service.health]: exec runs a program");
        check_probe(health_, diagnostics_);
    }

private:
    void add(Place place, std::string message) { diagnostics_.add(place, std::move(message)); }

    bool has_port() const { return !health_.is("icmp") && !health_.is("exec"); }

    void check_quorum() {
        const auto& quorum = service_.quorum;
        const std::size_t backends = service_.backends.size();
        if (quorum.written && quorum.value && backends > 0 &&
            static_cast<std::size_t>(*quorum.value) > backends)
            add(quorum.place, "quorum: " + std::to_string(*quorum.value) + " of " +
                                  std::to_string(backends) +
                                  (backends == 1 ? " backend" : " backends") + " can never be");
    }

    void check_schedule() {
        at_most_interval("timeout", health_.timeout);
        at_most_interval("fast_interval", health_.fast_interval);
        const auto& first = health_.hold_down;
        const auto& most = health_.hold_down_max;
        if (first.value && most.written && most.value && *first.value > *most.value)
            add(most.place, "hold_down_max: " + duration_text(Milliseconds(*most.value)) +
                                " is shorter than hold_down, " +
                                duration_text(Milliseconds(*first.value)));
        if (health_.flap_limit.value != 0) return;
        const auto unused = [&](std::string_view key, const Placed<std::int64_t>& placed) {
            if (placed.written && placed.value)
                add(placed.place,
                    std::string(key) + ": with flap_limit = 0 nothing is ever held down");
        };
        unused("flap_window", health_.flap_window);
        unused("hold_down", first);
        unused("hold_down_max", most);
    }

    void at_most_interval(std::string_view key, const Placed<std::int64_t>& placed) {
        const auto& interval = health_.interval.value;
        if (placed.written && placed.value && interval && *placed.value > *interval)
            add(placed.place, std::string(key) + ": " + duration_text(Milliseconds(*placed.value)) +
                                  " is longer than the interval, " +
                                  duration_text(Milliseconds(*interval)));
    }

    void check_way() {
        if (!has_port()) return;
        if (goes_by_vip(service_)) {
            const std::string why = no_way_by_vip(service_);
            if (!why.empty()) add(health_.via.place, "via: checks cannot go by the VIP: " + why);
            return;
        }
        if (health_.port.written || !service_.ports.value || service_.ports.value->is_single())
            return;
        for (const BackendDraft& backend : service_.backends) {
            if (backend.check_port.written) continue;
            add(health_.place,
                "missing key 'port' in [service.health]: the service is on " +
                    std::string(service_.ports.value->is_any() ? "any port" : "several ports"));
            return;
        }
    }

    void check_source() {
        const auto& source = health_.source;
        if (!source.value || health_.is("exec")) return;
        const std::string text = "source: " + source.value->to_string();
        if (const std::string_view what = unfit(*source.value); !what.empty())
            add(source.place, text + " is " + std::string(what));
        else if (around_.vips.contains(*source.value))
            add(source.place,
                text + " is a VIP, whose packets are the clients': checks need another address");
        else if (const std::string why = taken_for_probes(*source.value, around_); !why.empty())
            add(source.place, "source: " + why);
        else if (const auto other = target_of_other_family(*source.value))
            add(source.place,
                text + " is of another IP version than what is checked, " + other->to_string());
    }

    std::optional<Address> target_of_other_family(const Address& source) const {
        const bool by_vip = goes_by_vip(service_);
        for (const BackendDraft& backend : service_.backends) {
            const bool own = backend.check_address.written || backend.check_port.written;
            std::optional<Address> target = backend.check_address.value;
            if (!target && backend.address.written) target = backend.address.value;
            if ((by_vip && !own) || (!target && !backend.address.written))
                target = service_.vip.value;
            if (target && target->is_v4() != source.is_v4()) return target;
        }
        return {};
    }

    // The checks of a local backend go to the VIP, which this host would no longer have.
    void check_give_up() {
        const auto& give_up = service_.give_up_vip;
        if (give_up.value != "true" || service_.forward.forward.value != "local" ||
            health_.is("exec"))
            return;
        for (const BackendDraft& backend : service_.backends) {
            if (backend.check_address.written) continue;
            add(give_up.place,
                "give_up_vip: with forward = \"local\" checks go to the VIP, and once it is given "
                "up they could never be good again: set 'check_address', \"127.0.0.1\" say");
            return;
        }
    }

    void check_backend(const BackendDraft& backend) {
        const auto unused = [&](std::string_view key, const auto& placed) {
            if (!placed.written || !placed.value || !health_.type.value) return false;
            std::string why;
            if (health_.is("none")) why = "nothing of this service is checked";
            if (health_.is("icmp") && key == "check_port") why = "an icmp check has no port";
            if (health_.via.value == "vip")
                why = "checks of this service go by the VIP (via = \"vip\")";
            if (!why.empty()) add(placed.place, std::string(key) + ": " + why);
            return !why.empty();
        };
        unused("check_port", backend.check_port);
        if (unused("check_address", backend.check_address) || !backend.check_address.value) return;
        const Address& address = *backend.check_address.value;
        const bool is_local = service_.forward.forward.value == "local";
        std::string_view what = unfit(address);
        if (is_local && address.is_loopback()) what = {};
        if (!what.empty())
            add(backend.check_address.place,
                "check_address: " + address.to_string() + " is " + std::string(what));
        else if (!is_local && around_.vips.contains(address))
            add(backend.check_address.place,
                "check_address: " + address.to_string() + " is a VIP: this host would answer");
        else if (const std::string why = taken_for_probes(address, around_); !why.empty())
            add(backend.check_address.place, "check_address: " + why);
    }

    const ServiceDraft& service_;
    const HealthDraft& health_;
    const Surroundings& around_;
    Diagnostics& diagnostics_;
};

}  // namespace

void check_health(const ServiceDraft& service, const Surroundings& around,
                  Diagnostics& diagnostics) {
    HealthChecker(service, around, diagnostics).run();
}

void check_probe_network(const Placed<Address>& network, Diagnostics& diagnostics) {
    if (!network.written || !network.value) return;
    const Address& address = *network.value;
    const Network whole{address, address.is_v4() ? 32u - BSC_PROBE_ADDRESS_BITS : probe_prefix_v6};
    std::string_view what = unfit(address);
    if (address.is_link_local()) what = "a link-local address";
    // An end of the network, where Linux has "this host" and the broadcast.
    if (contains(whole, Address::v4({255, 255, 255, 255}))) what = "the network of the broadcast";
    if (!what.empty())
        diagnostics.add(network.place, address.to_string() + " is " + std::string(what) +
                                           ": nothing can be sent there");
}

}  // namespace bascule::model
