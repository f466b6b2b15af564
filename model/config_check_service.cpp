// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "bpf/contract.h"
#include "model/config_check.h"
#include "model/maglev.h"
#include "model/tables.h"

namespace bascule::model {
namespace {

constexpr std::int64_t least_mss = 536;  // RFC 9293, 3.7.1: what every IPv4 host can take

class ServiceChecker {
public:
    ServiceChecker(const ServiceDraft& service, const Surroundings& around,
                   Diagnostics& diagnostics)
        : service_(service), around_(around), diagnostics_(diagnostics) {}

    void run() {
        if (service_.vip.value && !around_.vips.contains(*service_.vip.value) && around_.whole)
            add(service_.vip.place,
                "vip: no [[vip]] has the address " + service_.vip.value->to_string());
        check_limits();
        check_forward();
        check_ring();
        if (service_.backends.empty())
            add(service_.place, "a service needs at least one [[service.backend]]");
        check_duplicates();
        for (const BackendDraft& backend : service_.backends)
            check_backend(backend);
        check_health(service_, around_, diagnostics_);
    }

private:
    void add(Place place, std::string message) { diagnostics_.add(place, std::move(message)); }

    bool forwards_by(std::string_view way) const { return service_.forward.forward.value == way; }

    // A key that is set and never used would be a silent mistake.
    void check_limits() {
        if (!service_.protocol.value) return;
        const std::string protocol(*service_.protocol.value);
        const auto unused = [&](const Placed<std::int64_t>& limit, std::string_view other) {
            if (limit.written && limit.value)
                add(limit.place,
                    "a limit of " + std::string(other) + " sessions in a " + protocol + " service");
        };
        if (protocol == "udp")
            for (const auto& limit : service_.tcp_limits)
                unused(limit, "tcp");
        else
            for (const auto& limit : service_.udp_limits)
                unused(limit, "udp");
    }

    void check_forward() {
        const ForwardDraft& forward = service_.forward;
        if (forward.mss_clamp.written && forward.mss_clamp.value &&
            service_.protocol.value == "udp")
            add(forward.mss_clamp.place, "mss_clamp: a udp service has no segment size");
        else
            check_mss_clamp(forward, diagnostics_);
        if (!forward.forward.value) return;
        const std::string here = "with forward = \"" + std::string(*forward.forward.value) + '"';
        if (forward.gue_port.written && forward.gue_port.value && !forwards_by("gue"))
            add(forward.gue_port.place,
                "gue_port: " + here + " there is none; it is for forward = \"gue\"");
        if (forward.copy_dscp.written && forward.copy_dscp.value && !forwards_by("gue") &&
            !forwards_by("ipip"))
            add(forward.copy_dscp.place, "copy_dscp: " + here +
                                             " there is no outer header; it is for \"ipip\" and "
                                             "\"gue\"");
    }

    void check_ring() {
        if (!service_.ring_size.value) return;
        const auto size = static_cast<std::uint32_t>(*service_.ring_size.value);
        if (!is_prime(size)) {
            std::uint32_t prime = size;
            while (!is_prime(prime))
                ++prime;  // ends: the largest size allowed is a prime
            add(service_.ring_size.place, "ring_size: " + std::to_string(size) +
                                              " is no prime; the next one is " +
                                              std::to_string(prime));
        }
        if (around_.too_many_backends) return;
        const std::string backends = std::to_string(service_.backends.size()) + " backends";
        const std::uint32_t least = smallest_ring(service_.backends.size());
        if (least == 0)
            add(service_.ring_size.place, backends +
                                              " in one service need a larger ring than the "
                                              "largest, " +
                                              std::to_string(BSC_RING_MAX) + " slots");
        else if (size < least)
            add(service_.ring_size.place, "ring_size: " + std::to_string(size) +
                                              " is too small for " + backends + ", set " +
                                              std::to_string(least) + " or a larger prime");
    }

    void check_duplicates() {
        Unique<std::string> names(diagnostics_);
        Unique<BackendKey> keys(diagnostics_);
        for (const BackendDraft& backend : service_.backends)
            if (backend.name.value)
                names.add(*backend.name.value, backend.name.place,
                          "a backend of this service named " + quoted(*backend.name.value));
        for (const BackendDraft& backend : service_.backends) {
            const auto address = address_of(backend);
            if (!address) continue;
            const Place place = backend.address.written ? backend.address.place : backend.place;
            const std::string name = default_name(*address, backend.port);
            if (!backend.name.written && names.has(name))
                add(place, "a backend of this service named " + quoted(name) +
                               " is there already: set 'name'");
            const std::uint16_t port = port_of(backend);
            keys.add({*address, port}, place,
                     "backend " + address->to_string() +
                         (port == 0 ? "" : " port " + std::to_string(port)) + " of this service");
        }
    }

    std::optional<Address> address_of(const BackendDraft& backend) const {
        if (!backend.address.written && forwards_by("local")) return service_.vip.value;
        return backend.address.value;
    }

    // 0: packets keep theirs, or it cannot be told.
    std::uint16_t port_of(const BackendDraft& backend) const {
        if (!service_.ports.value || !service_.ports.value->is_single()) return 0;
        if (!backend.port.written) return service_.ports.value->first;
        return static_cast<std::uint16_t>(backend.port.value.value_or(0));
    }

    void check_backend(const BackendDraft& backend) {
        if (backend.port.written && service_.ports.value && !service_.ports.value->is_single())
            add(backend.port.place,
                "port: the service is on " +
                    std::string(service_.ports.value->is_any() ? "any port" : "a range of ports") +
                    ", and packets keep theirs");
        if (!service_.forward.forward.value) return;
        if (!backend.address.written && !forwards_by("local"))
            add(backend.place, "missing key 'address' in [[service.backend]]");
        if (!backend.address.value) return;
        if (forwards_by("local"))
            check_local(backend);
        else
            check_remote(backend);
    }

    void check_local(const BackendDraft& backend) {
        if (!service_.vip.value || *backend.address.value == *service_.vip.value) return;
        add(backend.address.place, backend.address.value->to_string() +
                                       ": with forward = \"local\" the backend is this host, by "
                                       "the VIP itself: leave 'address' out");
    }

    void check_remote(const BackendDraft& backend) {
        const Address& address = *backend.address.value;
        const std::string text = address.to_string();
        if (const std::string_view what = unfit(address); !what.empty())
            add(backend.address.place,
                text + " is " + std::string(what) + " and can be no backend");
        else if (const std::string why = taken_for_probes(address, around_); !why.empty())
            add(backend.address.place, why);
        else if (around_.vips.contains(address))
            add(backend.address.place,
                text +
                    " is a VIP and can be no backend: packets would loop (forward = \"local\" "
                    "delivers to this host)");
        else if (forwards_by("l2") && service_.vip.value &&
                 service_.vip.value->is_v4() != address.is_v4())
            add(backend.address.place,
                text + " is of another IP version than the VIP " + service_.vip.value->to_string() +
                    ": with forward = \"l2\" packets go as they are (\"ipip\" and \"gue\" can)");
    }

    const ServiceDraft& service_;
    const Surroundings& around_;
    Diagnostics& diagnostics_;
};

}  // namespace

void check_mss_clamp(const ForwardDraft& forward, Diagnostics& diagnostics) {
    const auto& mss = forward.mss_clamp;
    if (mss.written && mss.value && *mss.value != 0 && *mss.value < least_mss)
        diagnostics.add(mss.place, "mss_clamp: expected 0, or " + std::to_string(least_mss) +
                                       " to 65535, found the integer " +
                                       std::to_string(*mss.value));
}

void check_service(const ServiceDraft& service, const Surroundings& around,
                   Diagnostics& diagnostics) {
    ServiceChecker(service, around, diagnostics).run();
}

}  // namespace bascule::model
