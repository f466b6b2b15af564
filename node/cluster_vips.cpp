// SPDX-License-Identifier: Apache-2.0
#include "node/cluster_vips.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <utility>

#include "base/interface_index.h"
#include "node/links.h"
#include "sync/slot.h"

namespace bascule::node {

namespace asio = boost::asio;

namespace {

// From a peer's finding that no witness answers until this node has heard so.
constexpr std::chrono::milliseconds heard_lag{200};
// Rivals are looked for that often, or there is a new beginning.
constexpr std::chrono::milliseconds longest_look{500};
// That deadlines cannot be written is told when it goes on for so long, and until it has not
// happened for so long.
constexpr std::chrono::seconds failure_patience{1};
constexpr std::chrono::seconds failure_memory{2};

std::vector<Address> addresses_of(const std::vector<model::VipConfig>& vips) {
    std::vector<Address> addresses;
    for (const auto& vip : vips)
        addresses.push_back(vip.address);
    return addresses;
}

std::vector<std::string> links_of(const std::vector<model::VipConfig>& vips) {
    std::set<std::string> names;
    for (const auto& vip : vips)
        names.insert(vip.interface);
    return {names.begin(), names.end()};
}

// Of those of these interfaces that are there.
std::map<std::string, Mac> macs_of(const std::vector<std::string>& interfaces) {
    std::map<std::string, Mac> macs;
    auto requests = NetlinkRequests::open();
    if (!requests) return macs;
    for (const std::string& name : interfaces)
        if (const auto link = find_link(*requests, name)) macs[name] = link->mac;
    return macs;
}

}  // namespace

struct ClusterVips::Impl : std::enable_shared_from_this<Impl> {
    Impl(asio::io_context& control_thread, dataplane::VipGuard vip_guard, EpochFile& epoch_file,
         sync::Nanoseconds listening, Callbacks what)
        : control(control_thread),
          guard(vip_guard),
          epochs(epoch_file),
          listen(listening),
          callbacks(std::move(what)) {}

    asio::io_context& control;
    dataplane::VipGuard guard;
    EpochFile& epochs;
    sync::Nanoseconds listen;
    Callbacks callbacks;
    ClusterVipsView view;
    VipWatch watch;
    std::map<Address, bool> here;  // as last told
    std::unique_ptr<VipHolder> holder;
    std::unique_ptr<Witness> witness;
    std::map<std::pair<Address, Mac>, std::uint64_t> frames_seen;  // holder's thread
    sync::Moment last_look{};                                      // the same

    // What other threads use. The mutex is the holder's and control's.
    std::mutex port_mutex;
    sync::HeartbeatPort* port = nullptr;
    struct Entry {
        Address vip;
        Mac own;  // that it is announced with
    };
    using Book = std::map<sync::VipId, Entry>;
    sync::Slot<Book> next_book;  // to the heartbeat thread, which waits for nobody
    Book book;                   // the heartbeat thread's
    std::atomic<std::uint64_t> deadlines_failed{0};

    void begin(const model::Config& config, const std::vector<Address>& kept) {
        set_book(config.vips);
        keep(config.vips);
        const auto until = std::chrono::steady_clock::now() + listen + sync::lone_deadline;
        for (const Address& vip : kept)
            if (auto set = guard.set(vip, until); !set) spdlog::error("{}", set.error().text());
        open_holder(config);
        witness_gap = witness_period(*config.cluster);
        witness = std::make_unique<Witness>(control, config.cluster->witness, witness_gap,
                                            [this](const WitnessState&) { on_witness(); });
        read_witness();
    }

    void open_holder(const model::Config& config) {
        VipHolder::Callbacks hears;
        hears.on_holdings = [this](std::vector<sync::VipHolding> holdings) {
            const std::lock_guard lock(port_mutex);
            if (port != nullptr) port->set_holdings(std::move(holdings));
        };
        hears.on_report = [self = weak_from_this()](const VipHolderReport& report) {
            if (const auto there = self.lock()) there->on_report(report);
        };
        hears.look_for_rivals = [this] { return look_for_rivals(); };
        hears.on_rivals = [this](const std::vector<VipRival>& rivals) { ask_rivals(rivals); };
        holder = std::make_unique<VipHolder>(control, config.vips, std::move(hears));
    }

    void end() {
        set_port(nullptr);
        witness.reset();
        holder.reset();
    }

    void set_port(sync::HeartbeatPort* next) {
        const std::lock_guard lock(port_mutex);
        port = next;
        if (port != nullptr) port->set_wire_links(links_of(view.vips));
    }

    // Anew whenever MAC addresses may have changed.
    void put_book(const std::vector<model::VipConfig>& vips) {
        const auto macs = macs_of(links_of(vips));
        auto next = std::make_unique<Book>();
        for (const auto& vip : vips) {
            const auto own = macs.find(vip.interface);
            (*next)[sync::vip_id(vip.address)] = {vip.address,
                                                  own == macs.end() ? Mac{} : own->second};
        }
        next_book.put(std::move(next));
    }

    void set_book(const std::vector<model::VipConfig>& vips) {
        put_book(vips);
        view.vips = vips;
        watch.set_vips(addresses_of(vips));
        view.notes = watch.vips();
    }

    void keep(const std::vector<model::VipConfig>& vips) {
        const auto addresses = addresses_of(vips);
        if (auto kept = guard.keep(addresses); !kept) spdlog::error("{}", kept.error().text());
    }

    // ---- of other threads ----

    // The heartbeat thread's. One may fail while a VIP goes.
    void set_deadlines(std::span<const sync::VipDeadline> deadlines) {
        if (auto next = next_book.take()) book = std::move(*next);
        for (const auto& deadline : deadlines) {
            const auto known = book.find(deadline.vip);
            if (known == book.end()) continue;
            const auto& [vip, own] = known->second;
            if (!guard.set(vip, deadline.until, deadline.yields, own)) ++deadlines_failed;
        }
    }

    // The holder's thread's: what XDP has counted since it asked last, which it does while this
    // node has a VIP. What was there before that is the claim of who had it then.
    std::vector<VipRival> look_for_rivals() {
        std::vector<VipRival> found;
        std::map<std::pair<Address, Mac>, std::uint64_t> seen;
        const auto now = std::chrono::steady_clock::now();
        const bool is_first = now - std::exchange(last_look, now) > longest_look;
        for (const auto& claim : guard.rivals()) {
            const std::pair key(claim.vip, claim.mac);
            const auto known = frames_seen.find(key);
            const std::uint64_t before = known == frames_seen.end() ? 0 : known->second;
            seen[key] = claim.count;
            if (is_first || claim.count <= before) continue;
            const sync::Moment last{std::chrono::nanoseconds(claim.nanoseconds)};
            found.push_back(
                {claim.vip, interface_name(claim.ifindex), claim.mac, claim.count - before, last});
        }
        frames_seen = std::move(seen);
        return found;
    }

    // The holder's thread's: one of them may be a peer that no path joins with this node.
    void ask_rivals(std::vector<VipRival> rivals) {
        std::ranges::sort(rivals, std::greater(), &VipRival::last);
        std::vector<sync::WirePlace> places;
        for (const VipRival& rival : rivals) {
            if (places.size() >= sync::most_wire_places) break;
            const int ifindex = static_cast<int>(interface_index(rival.interface));
            const sync::WirePlace place{ifindex, rival.mac};
            const bool one_host = (rival.mac.bytes[0] & 1) == 0 && rival.mac != Mac{};
            if (ifindex == 0 || !one_host) continue;
            if (std::ranges::find(places, place) == places.end()) places.push_back(place);
        }
        const std::lock_guard lock(port_mutex);
        if (port != nullptr && !places.empty()) port->ask_on_wire(std::move(places));
    }

    // ---- what is heard ----

    void on_report(const VipHolderReport& report) {
        view.holder = report;
        follow_rivals();
        std::map<Address, bool> now_here;
        for (const auto& vip : report.vips)
            now_here[vip.vip] = vip.here;
        const auto before = std::exchange(here, now_here);
        for (const auto& [vip, is_here] : now_here) {
            const auto known = before.find(vip);
            if ((known == before.end() || known->second != is_here) && callbacks.on_here)
                callbacks.on_here(vip, is_here);
        }
    }

    // The report comes when it changes, and who is there has to be there for a while.
    void follow_rivals() {
        const auto now = std::chrono::steady_clock::now();
        const auto& seen = view.holder.rivals;
        auto told = watch.on_holder(view.holder, now);
        view.rivals.clear();
        std::copy_if(seen.begin(), seen.end(), std::back_inserter(view.rivals),
                     [&](const VipRival& rival) { return watch.is_rival(rival); });
        if (callbacks.on_told) callbacks.on_told(std::move(told));
    }

    void on_heartbeats(const sync::HeartbeatReport& report) {
        judge_cut_off();
        auto told = watch.on_heartbeats(report, std::chrono::steady_clock::now());
        view.taken += static_cast<std::uint64_t>(std::count_if(
            report.moves.begin(), report.moves.end(),
            [](const auto& move) { return move.what == sync::VipMove::What::taken; }));
        view.notes = watch.vips();
        follow_deadlines();
        follow_takers(report);
        keep_epochs(report.highest_epoch);
        follow_rivals();
        if (callbacks.on_told) callbacks.on_told(std::move(told));
    }

    void follow_takers(const sync::HeartbeatReport& report) {
        std::set<Address> taken;
        for (const auto& vip : view.vips)
            if (std::ranges::any_of(report.vips, [&](const sync::VipView& each) {
                    return each.vip == sync::vip_id(vip.address) && has_it(each.role) &&
                           !each.next.empty();
                }))
                taken.insert(vip.address);
        if (callbacks.on_takers) callbacks.on_takers(taken);
    }

    void follow_deadlines() {
        const auto now = std::chrono::steady_clock::now();
        const std::uint64_t failed = deadlines_failed;
        if (std::exchange(failed_before, failed) != failed) {
            failed_last = now;
            if (!failing) failing = now;
        } else if (now - failed_last > failure_memory) {
            failing.reset();
        }
        view.deadlines_fail = failing && now - *failing > failure_patience;
    }
    std::uint64_t failed_before = 0;
    sync::Moment failed_last{};
    Since failing;

    void keep_epochs(sync::Epoch highest) {
        const std::string before = view.epoch_problem;
        // What is wrong stays in warning() while it is not tried again.
        static_cast<void>(epochs.reserve(highest));
        view.epoch_problem = epochs.warning();
        if (!view.epoch_problem.empty() && view.epoch_problem != before)
            spdlog::error("{}", view.epoch_problem);
    }

    void read_witness() {
        view.witnesses = witness->state();
        view.witness = witness->answers();
        judge_cut_off();
    }

    // Peers ask at other moments and count to three as well, and what they find travels.
    void judge_cut_off() {
        const auto now = std::chrono::steady_clock::now();
        if (view.witness) witness_seen = now;
        view.cut_off = now - witness_seen >= 2 * witness_gap + heard_lag;
    }
    sync::Moment witness_seen = std::chrono::steady_clock::now();
    std::chrono::milliseconds witness_gap{0};

    void on_witness() {
        if (!witness) return;
        const bool before = view.witness;
        read_witness();
        if (view.witness != before && callbacks.on_told) {
            std::vector<std::string> names;
            for (const auto& each : view.witnesses)
                names.push_back(each.address.to_string());
            const auto kind = view.witness ? Event::Kind::witness_back : Event::Kind::witness_lost;
            callbacks.on_told({{kind, "", in_words(names)}});
        }
        if (callbacks.on_witness) callbacks.on_witness();
    }
};

ClusterVips::ClusterVips(asio::io_context& control, const model::Config& config,
                         dataplane::VipGuard guard, EpochFile& epochs, sync::Nanoseconds listen,
                         const std::vector<Address>& kept, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(control, guard, epochs, listen, std::move(callbacks))) {
    impl_->begin(config, kept);
}

ClusterVips::~ClusterVips() {
    impl_->end();
}

sync::TakeoverOptions ClusterVips::options(const model::Config& config) const {
    const model::ClusterConfig& cluster = *config.cluster;
    sync::TakeoverOptions options;
    options.self = config.node.name;
    options.interval = cluster.heartbeat_interval;
    options.dead_after = cluster.dead_after;
    options.failback = cluster.failback == model::Failback::when_synced;
    options.failback_delay = cluster.failback_delay;
    options.listen = impl_->listen;
    options.epoch_floor = impl_->epochs.floor();
    for (const auto& vip : config.vips)
        options.vips.push_back(
            {sync::vip_id(vip.address), cluster.priority_of(config.node.name, vip)});
    return options;
}

void ClusterVips::set_callbacks(sync::HeartbeatPort::Callbacks& callbacks) {
    callbacks.on_duties = [impl = impl_.get()](std::vector<sync::VipDuty> duties) {
        impl->holder->set_duties(std::move(duties));
    };
    callbacks.set_deadlines = [impl = impl_.get()](std::span<const sync::VipDeadline> deadlines) {
        impl->set_deadlines(deadlines);
    };
}

void ClusterVips::set_port(sync::HeartbeatPort* port) {
    impl_->set_port(port);
}

void ClusterVips::release_others(const model::Config& next) {
    std::vector<model::VipConfig> stay;
    for (const auto& vip : impl_->view.vips)
        if (std::any_of(next.vips.begin(), next.vips.end(), [&](const auto& other) {
                return other.address == vip.address && other.interface == vip.interface;
            }))
            stay.push_back(vip);
    impl_->holder->set_vips(std::move(stay));
}

void ClusterVips::set_config(const model::Config& config) {
    impl_->set_book(config.vips);
    impl_->keep(config.vips);
    impl_->holder->set_vips(config.vips);
    if (impl_->port != nullptr) {
        impl_->port->set_takeover(options(config));
        impl_->port->set_wire_links(links_of(config.vips));
    }
    impl_->witness_gap = witness_period(*config.cluster);
    impl_->witness->set(config.cluster->witness, impl_->witness_gap);
    impl_->on_witness();
}

void ClusterVips::look_at(const std::string& interface) {
    impl_->put_book(impl_->view.vips);
    impl_->holder->look_at(interface);
}

void ClusterVips::on_heartbeats(const sync::HeartbeatReport& report) {
    impl_->on_heartbeats(report);
}

const ClusterVipsView& ClusterVips::view() const {
    return impl_->view;
}

}  // namespace bascule::node
