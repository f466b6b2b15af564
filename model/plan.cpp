// SPDX-License-Identifier: Apache-2.0
#include "model/plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "bpf/contract.h"
#include "model/free_slots.h"
#include "model/maglev.h"
#include "model/port_prefix.h"

namespace bascule::model {
namespace {

constexpr std::uint16_t service_slots = BSC_MAX_SERVICES;  // 0 ..
constexpr std::uint16_t vip_ids = BSC_MAX_VIPS;            // 1 ..

bool takes_new_flows(const DesiredBackend& backend) {
    return backend.weight > 0 && backend.up && backend.next_hop.has_value();
}

std::string excess(std::size_t wanted, std::string_view what, std::size_t limit) {
    return std::to_string(wanted) + ' ' + std::string(what) + ", more than the " +
           std::to_string(limit) + " of the data plane";
}

bool share_ports(const ServiceKey& one, const ServiceKey& other) {
    return one.vip == other.vip && one.protocol == other.protocol &&
           one.ports.first <= other.ports.last && other.ports.first <= one.ports.last;
}

// Desired with every key once, in the order of the first mention.
struct Wanted {
    struct Service {
        const DesiredService* service;
        std::vector<const DesiredBackend*> backends;
        std::set<BackendKey> keys;
    };
    std::vector<Service> services;
    std::set<ServiceKey> keys;
    std::vector<TableVip> vips;
    std::set<Address> vip_set;
    std::size_t backends = 0;
};

Wanted without_duplicates(const Desired& desired) {
    Wanted wanted;
    const auto want_vip = [&](const DesiredVip& vip) {
        if (wanted.vip_set.insert(vip.address).second)
            wanted.vips.push_back({vip.address, vip.held});
    };
    std::for_each(desired.vips.begin(), desired.vips.end(), want_vip);
    for (const DesiredService& service : desired.services) {
        if (!wanted.keys.insert(service.key).second) continue;
        want_vip({service.key.vip});
        Wanted::Service& kept = wanted.services.emplace_back(Wanted::Service{&service, {}, {}});
        for (const DesiredBackend& backend : service.backends)
            if (kept.keys.insert(backend.key).second) kept.backends.push_back(&backend);
        wanted.backends += kept.backends.size();
    }
    return wanted;
}

class Planner {
public:
    Planner(const Tables& before, const Wanted& wanted, RingMemo& memo)
        : before_(before), wanted_(wanted), memo_(memo) {
        result_.after = before;
        for (const auto& [slot, service] : before.services)
            slot_of_.emplace(service.key, slot);
        for (const auto& [slot, backend] : before.backends)
            standing_[backend.service].emplace(backend.key, slot);
    }

    Plan run() {
        remove_services();
        remove_strays();
        remove_vips();
        const std::size_t needed = new_backends();
        if (backend_slots - now().backends.size() < needed) remove_backends_early();
        FreeBackendSlots free(before_, now(), needed);
        set_vips();
        for (const Wanted::Service& wanted : wanted_.services)
            bring_to(wanted, free);
        for (const std::uint16_t slot : taken_over_)
            remove_service(slot);
        return std::move(result_);
    }

private:
    using SlotOf = std::map<BackendKey, std::uint16_t>;

    const Tables& now() const { return result_.after; }

    void write(Write write) {
        record(result_.after, write);
        result_.writes.push_back(std::move(write));
    }

    std::optional<std::uint16_t> slot_of(const ServiceKey& key) const {
        const auto found = slot_of_.find(key);
        if (found == slot_of_.end()) return {};
        return found->second;
    }

    // What is left of the backends that stood before.
    SlotOf& standing(const Wanted::Service& wanted) {
        const auto slot = slot_of(wanted.service->key);
        return slot ? standing_[*slot] : none_;
    }

    void clear_backend(std::uint16_t slot) {
        write(ClearBackend{slot, now().backends.at(slot).generation});
    }

    Ring ring_of(std::uint16_t service) const {
        const auto stands = now().rings.find(service);
        return stands == now().rings.end() ? Ring{} : stands->second;
    }

    void set_ring(std::uint16_t service, const Ring& ring) {
        if (ring_of(service) != ring) write(SetRing{service, ring});
    }

    void remove_services() {
        for (const auto& [slot, service] : before_.services) {
            if (wanted_.keys.contains(service.key)) continue;
            if (is_taken_over(service.key))
                taken_over_.push_back(slot);
            else
                remove_service(slot);
        }
        if (taken_over_.empty() || room_for_both()) return;
        for (const std::uint16_t slot : std::exchange(taken_over_, {}))
            remove_service(slot);
    }

    void remove_service(std::uint16_t slot) {
        write(WithdrawService{slot, before_.services.at(slot).key});
        set_ring(slot, {});
        clear_backends_not_in({}, standing_[slot]);
        write(ClearService{slot});
    }

    // A new service has ports of this one. Were there neither for a moment, Linux would refuse the
    // packets of connections that live.
    bool is_taken_over(const ServiceKey& key) const {
        return std::any_of(wanted_.services.begin(), wanted_.services.end(),
                           [&](const Wanted::Service& wanted) {
                               const ServiceKey& other = wanted.service->key;
                               return share_ports(key, other) && !slot_of(other);
                           });
    }

    // For all that stands, and all that is new beside it.
    bool room_for_both() {
        std::size_t services = 0;
        std::size_t prefixes = 0;
        const auto count = [&](const ServiceKey& key) {
            ++services;
            prefixes += prefixes_of(key.ports).size();
        };
        for (const auto& [slot, service] : before_.services)
            count(service.key);
        for (const Wanted::Service& wanted : wanted_.services)
            if (!slot_of(wanted.service->key)) count(wanted.service->key);
        return services <= service_slots && prefixes <= most_port_prefixes &&
               backend_slots - before_.backends.size() >= new_backends();
    }

    // What an earlier process left half done belongs to no service.
    void remove_strays() {
        for (const auto& [slot, ring] : before_.rings)
            if (!before_.services.contains(slot)) set_ring(slot, {});
        for (auto& [service, backends] : standing_)
            if (!before_.services.contains(service)) clear_backends_not_in({}, backends);
    }

    // Services on them are gone by now.
    void remove_vips() {
        for (const auto& [id, vip] : before_.vips)
            if (!wanted_.vip_set.contains(vip.address)) write(RemoveVip{id, vip.address});
    }

    void set_vips() {
        std::map<Address, std::uint16_t> standing;
        for (const auto& [id, vip] : now().vips)
            standing.emplace(vip.address, id);
        for (const TableVip& vip : wanted_.vips) {
            const auto found = standing.find(vip.address);
            if (found == standing.end())
                write(SetVip{free_number(before_.vips, now().vips, 1, vip_ids), vip});
            else if (now().vips.at(found->second) != vip)
                write(SetVip{found->second, vip});
        }
    }

    std::size_t new_backends() {
        std::size_t count = 0;
        for (const Wanted::Service& wanted : wanted_.services)
            for (const BackendKey& key : wanted.keys)
                count += standing(wanted).contains(key) ? 0 : 1;
        return count;
    }

    // Too few free slots to set the new backends beside the old ones: the old ones go first, and
    // those that stay carry the service meanwhile.
    void remove_backends_early() {
        for (const Wanted::Service& wanted : wanted_.services) {
            SlotOf& slots = standing(wanted);
            const bool any_leaves = std::any_of(slots.begin(), slots.end(), [&](const auto& b) {
                return !wanted.keys.contains(b.first);
            });
            if (!any_leaves) continue;
            // A backend that is not usable as it stands gets no place before its entry is set.
            build_ring_of(*slot_of(wanted.service->key), wanted, slots, [&](std::uint16_t backend) {
                const TableBackend& entry = now().backends.at(backend);
                return entry.up && entry.next_hop.has_value();
            });
            clear_backends_not_in(wanted.keys, slots);
        }
    }

    void clear_backends_not_in(const std::set<BackendKey>& keep, SlotOf& slots) {
        for (const auto& [key, slot] : slots)
            if (!keep.contains(key)) clear_backend(slot);
        std::erase_if(slots, [&](const auto& b) { return !keep.contains(b.first); });
    }

    template <typename Usable>
    void build_ring_of(std::uint16_t service, const Wanted::Service& wanted, const SlotOf& slots,
                       Usable usable) {
        const auto members = members_of(wanted, slots, usable);
        const std::uint32_t size = wanted.service->ring_size;
        if (memo_.gives(service, members, size, ring_of(service))) return;
        set_ring(service, build_ring(members, size));
        memo_.note(service, members, size, ring_of(service));
    }

    template <typename Usable>
    static std::vector<RingMember> members_of(const Wanted::Service& wanted, const SlotOf& slots,
                                              Usable usable) {
        std::vector<RingMember> members;
        std::vector<RingMember> backups;
        for (const DesiredBackend* backend : wanted.backends) {
            const auto slot = slots.find(backend->key);
            if (slot == slots.end() || !takes_new_flows(*backend) || !usable(slot->second))
                continue;
            auto& among = backend->backup ? backups : members;
            among.push_back({backend->key, backend->weight, slot->second});
        }
        return members.empty() ? backups : members;
    }

    // One service: its entry, what its new ring will point at, the ring, then what the old ring
    // pointed at; and only then its key, when it is new.
    void bring_to(const Wanted::Service& wanted, FreeBackendSlots& free) {
        const auto standing_slot = slot_of(wanted.service->key);
        const std::uint16_t slot = set_service(*wanted.service, standing_slot);
        SlotOf& old = standing(wanted);
        SlotOf slots = old;
        for (const DesiredBackend* backend : wanted.backends) {
            const auto found = slots.find(backend->key);
            if (found == slots.end())
                slots.emplace(backend->key, add_backend(slot, *backend, free));
            else if (takes_new_flows(*backend))
                change_backend(found->second, *backend);
        }
        build_ring_of(slot, wanted, slots, [](std::uint16_t) { return true; });
        for (const DesiredBackend* backend : wanted.backends)
            change_backend(slots.at(backend->key), *backend);
        clear_backends_not_in(wanted.keys, old);
        if (!standing_slot) write(PublishService{slot, wanted.service->key});
    }

    std::uint16_t set_service(const DesiredService& desired,
                              std::optional<std::uint16_t> standing) {
        const TableService entry{desired.key, desired.options};
        const std::uint16_t slot =
            standing ? *standing : free_number(before_.services, now().services, 0, service_slots);
        if (!standing || now().services.at(slot) != entry)
            write(SetService{slot, entry, !standing.has_value()});
        return slot;
    }

    std::uint16_t add_backend(std::uint16_t service, const DesiredBackend& desired,
                              FreeBackendSlots& free) {
        const auto [slot, generation] = free.take();
        write(SetBackend{
            slot,
            {service, desired.key, generation, desired.up, desired.next_hop, desired.delivery},
            true});
        return slot;
    }

    void change_backend(std::uint16_t slot, const DesiredBackend& desired) {
        TableBackend entry = now().backends.at(slot);
        entry.up = desired.up;
        entry.next_hop = desired.next_hop;
        entry.delivery = desired.delivery;
        if (entry != now().backends.at(slot)) write(SetBackend{slot, entry, false});
    }

    const Tables& before_;
    const Wanted& wanted_;
    RingMemo& memo_;
    std::map<ServiceKey, std::uint16_t> slot_of_;
    std::map<std::uint16_t, SlotOf> standing_;  // by service slot
    SlotOf none_;                               // of a service that did not stand
    std::vector<std::uint16_t> taken_over_;     // services that go when the new ones stand
    Plan result_;
};

struct Record {
    Tables& tables;

    void operator()(const SetVip& w) const { tables.vips[w.id] = w.vip; }
    void operator()(const RemoveVip& w) const { tables.vips.erase(w.id); }
    void operator()(const SetService& w) const { tables.services[w.slot] = w.service; }
    void operator()(const PublishService&) const {}
    void operator()(const WithdrawService&) const {}
    void operator()(const ClearService& w) const { tables.services.erase(w.slot); }
    void operator()(const SetBackend& w) const {
        tables.backends[w.slot] = w.backend;
        tables.retired_generations.erase(w.slot);
    }
    void operator()(const ClearBackend& w) const {
        tables.backends.erase(w.slot);
        tables.retired_generations[w.slot] = w.generation;
    }
    void operator()(const SetRing& w) const {
        if (w.ring.empty())
            tables.rings.erase(w.service);
        else
            tables.rings[w.service] = w.ring;
    }
};

}  // namespace

void record(Tables& tables, const Write& write) {
    std::visit(Record{tables}, write);
}

Result<Plan> plan(const Tables& now, const Desired& want) {
    RingMemo nothing;
    return plan(now, want, nothing);
}

Result<Plan> plan(const Tables& now, const Desired& want, RingMemo& memo) {
    const Wanted wanted = without_duplicates(want);
    if (wanted.vips.size() > vip_ids) return failure(excess(wanted.vips.size(), "VIPs", vip_ids));
    if (wanted.services.size() > service_slots)
        return failure(excess(wanted.services.size(), "services", service_slots));
    if (wanted.backends > backend_slots)
        return failure(excess(wanted.backends, "backends", backend_slots));
    return Planner(now, wanted, memo).run();
}

}  // namespace bascule::model
