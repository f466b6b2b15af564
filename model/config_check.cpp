// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <set>
#include <tuple>

#include "bpf/contract.h"
#include "model/config_draft.h"
#include "model/maglev.h"

namespace bascule::model {
namespace {

// Remembers where each key was first, and complains of the next.
template <typename Key>
class Unique {
public:
    explicit Unique(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

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

// What no packet may be sent to, whatever it is for.
std::string_view unfit(const Address& address) {
    if (address.is_unspecified()) return "the unspecified address";
    if (address.is_loopback()) return "a loopback address";
    if (address.is_multicast()) return "a multicast or broadcast address";
    return {};
}

class Checker {
public:
    Checker(const Draft& draft, Diagnostics& diagnostics)
        : draft_(draft), diagnostics_(diagnostics) {
        for (const VipDraft& vip : draft.vips)
            if (vip.address.value) vips_.insert(*vip.address.value);
    }

    void run() {
        check_interfaces();
        check_counts();
        check_vips();
        Unique<std::string> names(diagnostics_);
        Unique<std::tuple<Address, std::int64_t, std::string_view>> keys(diagnostics_);
        for (const ServiceDraft& service : draft_.services) {
            if (service.name.value)
                names.add(*service.name.value, service.name.place,
                          "a service named " + quoted(*service.name.value));
            if (service.vip.value && service.port.value && service.protocol.value)
                keys.add({*service.vip.value, *service.port.value, *service.protocol.value},
                         service.port.place, "a service on " + key_text(service));
            check_service(service);
        }
    }

private:
    void add(Place place, std::string message) { diagnostics_.add(place, std::move(message)); }

    static std::string key_text(const ServiceDraft& service) {
        return service.vip.value->to_string() + " port " + std::to_string(*service.port.value) +
               ' ' + std::string(*service.protocol.value);
    }

    void check_interfaces() {
        Unique<std::string> names(diagnostics_);
        for (const auto& interface : draft_.interfaces)
            names.add(*interface.value, interface.place, "interface " + quoted(*interface.value));
    }

    // Each said once, at the first that is too many.
    void check_counts() {
        if (draft_.vips.size() > BSC_MAX_VIPS)
            too_many(draft_.vips[BSC_MAX_VIPS].place, draft_.vips.size(), "VIPs", BSC_MAX_VIPS);
        if (draft_.services.size() > BSC_MAX_SERVICES)
            too_many(draft_.services[BSC_MAX_SERVICES].place, draft_.services.size(), "services",
                     BSC_MAX_SERVICES);
        constexpr std::size_t most_backends = BSC_MAX_BACKENDS - 1;
        std::size_t backends = 0;
        Place first_excess;
        for (const ServiceDraft& service : draft_.services) {
            const std::size_t before = backends;
            backends += service.backends.size();
            if (before <= most_backends && backends > most_backends)
                first_excess = service.backends[most_backends - before].place;
        }
        if (backends <= most_backends) return;
        too_many(first_excess, backends, "backends", most_backends);
        too_many_backends_ = true;
    }

    void too_many(Place place, std::size_t count, std::string_view what, std::size_t most) {
        add(place, std::to_string(count) + ' ' + std::string(what) + " in all; at most " +
                       std::to_string(most) + " are possible");
    }

    void check_vips() {
        Unique<Address> addresses(diagnostics_);
        for (const VipDraft& vip : draft_.vips) {
            if (!vip.address.value) continue;
            const Address& address = *vip.address.value;
            addresses.add(address, vip.address.place, "VIP " + address.to_string());
            if (const std::string_view what = unfit(address); !what.empty())
                add(vip.address.place,
                    address.to_string() + " is " + std::string(what) + " and can be no VIP");
        }
    }

    void check_service(const ServiceDraft& service) {
        if (service.vip.value && !vips_.contains(*service.vip.value) && draft_.whole)
            add(service.vip.place,
                "vip: no [[vip]] has the address " + service.vip.value->to_string());
        check_limits(service);
        check_ring(service);
        if (service.backends.empty())
            add(service.place, "a service needs at least one [[service.backend]]");
        Unique<std::string> names(diagnostics_);
        Unique<Address> addresses(diagnostics_);
        for (const BackendDraft& backend : service.backends) {
            if (backend.name.value)
                names.add(*backend.name.value, backend.name.place,
                          "a backend of this service named " + quoted(*backend.name.value));
            if (backend.address.value)
                addresses.add(*backend.address.value, backend.address.place,
                              "backend " + backend.address.value->to_string() + " of this service");
            check_backend(service, backend);
        }
    }

    // A limit that is set and never used would be a silent mistake.
    void check_limits(const ServiceDraft& service) {
        if (!service.protocol.value) return;
        const auto unused = [&](const Placed<std::int64_t>& limit, std::string_view protocol) {
            if (limit.written && limit.value)
                add(limit.place, "a limit of " + std::string(protocol) + " sessions in a " +
                                     std::string(*service.protocol.value) + " service");
        };
        if (*service.protocol.value == "udp")
            for (const auto& limit : service.tcp_limits)
                unused(limit, "tcp");
        else
            for (const auto& limit : service.udp_limits)
                unused(limit, "udp");
    }

    void check_ring(const ServiceDraft& service) {
        if (!service.ring_size.value) return;
        const auto size = static_cast<std::uint32_t>(*service.ring_size.value);
        if (!is_prime(size)) {
            std::uint32_t prime = size;
            while (!is_prime(prime))
                ++prime;  // ends: the largest size allowed is a prime
            add(service.ring_size.place, "ring_size: " + std::to_string(size) +
                                             " is no prime; the next one is " +
                                             std::to_string(prime));
        }
        if (too_many_backends_) return;
        const std::string backends = std::to_string(service.backends.size()) + " backends";
        const std::uint32_t least = smallest_ring(service.backends.size());
        if (least == 0)
            add(service.ring_size.place, backends +
                                             " in one service need a larger ring than the "
                                             "largest, " +
                                             std::to_string(BSC_RING_MAX) + " slots");
        else if (size < least)
            add(service.ring_size.place, "ring_size: " + std::to_string(size) +
                                             " is too small for " + backends + ", set " +
                                             std::to_string(least) + " or a larger prime");
    }

    void check_backend(const ServiceDraft& service, const BackendDraft& backend) {
        if (backend.port.written && backend.port.value && service.port.value &&
            *backend.port.value != *service.port.value)
            add(backend.port.place, "port: a backend port other than the service's (" +
                                        std::to_string(*service.port.value) +
                                        ") cannot be rewritten yet");
        if (!backend.address.value) return;
        const Address& address = *backend.address.value;
        const std::string text = address.to_string();
        if (const std::string_view what = unfit(address); !what.empty())
            add(backend.address.place,
                text + " is " + std::string(what) + " and can be no backend");
        else if (vips_.contains(address))
            add(backend.address.place, text + " is a VIP and can be no backend");
        else if (service.vip.value && service.vip.value->is_v4() != address.is_v4())
            add(backend.address.place, text + " is of another IP version than the VIP " +
                                           service.vip.value->to_string() +
                                           "; packets are forwarded unchanged");
    }

    const Draft& draft_;
    Diagnostics& diagnostics_;
    std::set<Address> vips_;
    bool too_many_backends_ = false;
};

}  // namespace

void check(const Draft& draft, Diagnostics& diagnostics) {
    Checker(draft, diagnostics).run();
}

}  // namespace bascule::model
