// SPDX-License-Identifier: Apache-2.0
#include "node/daemon.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "model/plan.h"
#include "node/files.h"
#include "node/ring_key.h"

namespace bascule::node {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// What a start or a reload waits for the first word of the kernel about new backends. One that is
// silent longer joins when it is heard of.
constexpr auto neighbour_patience = 1s;
constexpr auto neighbour_poll = 10ms;

spdlog::level::level_enum to_spdlog(model::LogLevel level) {
    switch (level) {
        case model::LogLevel::trace:
            return spdlog::level::trace;
        case model::LogLevel::debug:
            return spdlog::level::debug;
        case model::LogLevel::warning:
            return spdlog::level::warn;
        case model::LogLevel::error:
            return spdlog::level::err;
        case model::LogLevel::info:
            break;
    }
    return spdlog::level::info;
}

bool has_vip(const model::Config& config, const Address& address) {
    return std::any_of(config.vips.begin(), config.vips.end(),
                       [&](const auto& vip) { return vip.address == address; });
}

}  // namespace

Daemon::Daemon(asio::io_context& io, Options options)
    : io_(io), options_(std::move(options)), started_(std::chrono::steady_clock::now()) {}

Daemon::~Daemon() = default;

std::chrono::seconds Daemon::uptime() const {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() -
                                                            started_);
}

// ---- start ----

asio::awaitable<Result<void>> Daemon::start(LoadedConfig loaded) {
    loaded_ = std::move(loaded);
    const model::Config config = *loaded_.parsed.config;
    set_log_level(config.log.level);
    auto taken_up = co_await take_up(config);
    if (taken_up) co_return taken_up;
    if (dataplane_ && !dataplane_->adopted()) undo_start(config);
    co_return taken_up;
}

asio::awaitable<Result<void>> Daemon::take_up(const model::Config& config) {
    if (auto opened = open_parts(config); !opened) co_return opened;
    if (auto free = co_await vips_->check_free(config.vips); !free) co_return free;
    if (auto opened = open_dataplane(config); !opened) co_return opened;
    neighbours_->set_targets(State::backend_addresses(config));
    co_await await_neighbours(config);

    // Tables, then the program, then the address: nothing draws packets before there is a way on.
    if (auto written = converge(config); !written) co_return failure(std::move(written.error()));
    if (auto attached = attach_all(config); !attached) co_return attached;
    if (auto held = drop_stale_vips(config); !held) co_return held;
    for (const auto& vip : config.vips)
        if (auto held = vips_->hold(vip); !held) co_return held;
    worker_ = std::make_unique<SessionWorker>(
        io_, *dataplane_, [this](const SessionReport& report) { session_report_ = report; });
    co_return Result<void>{};
}

// Whatever can fail for a reason outside before the data plane is touched.
Result<void> Daemon::open_parts(const model::Config& config) {
    if (auto made = make_directory(options_.state_dir); !made) return made;
    auto words = OperatorWords::load(options_.state_dir);
    if (!words) return failure(std::move(words.error()));
    state_ = std::make_unique<State>(config, std::move(*words));

    auto links = LinkWatch::open(io_, [this](const LinkChange& change) { on_link(change); });
    if (!links) return failure(std::move(links.error()));
    links_ = std::move(*links);
    if (auto exist = check_interfaces(config); !exist) return exist;

    auto vips = VipKeeper::open(io_);
    if (!vips) return failure(std::move(vips.error()));
    vips_ = std::move(*vips);
    auto neighbours = NeighbourWatch::open(
        io_, [this](const std::vector<NeighbourState>& changes) { on_neighbours(changes); });
    if (!neighbours) return failure(std::move(neighbours.error()));
    neighbours_ = std::move(*neighbours);
    return {};
}

Result<void> Daemon::open_dataplane(const model::Config& config) {
    auto key = load_ring_key(options_.state_dir);
    if (!key) return failure(std::move(key.error()));
    auto opened = dataplane::Dataplane::open(
        {options_.bpffs, config.node.max_sessions, config.node.max_sessions_v6, *key});
    if (!opened) return failure(std::move(opened.error()));
    dataplane_ = std::move(*opened);
    if (dataplane_->adopted()) {
        state_->assume_next_hops(dataplane_->tables());
        spdlog::info("adopted the tables of an earlier process: {} services, {} backends",
                     dataplane_->tables().services.size(), dataplane_->tables().backends.size());
    }
    return {};
}

// Also makes them the watched ones.
Result<void> Daemon::check_interfaces(const model::Config& config) {
    std::vector<std::string> names = config.node.interfaces;
    for (const auto& vip : config.vips) names.push_back(vip.interface);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());

    auto requests = NetlinkRequests::open();
    if (!requests) return failure(std::move(requests.error()));
    for (const auto& name : names) {
        auto link = find_link(*requests, name);
        if (!link) return failure(std::move(link.error()));
        if (!link->ethernet) return failure("interface " + name + ": is not an Ethernet interface");
    }
    return links_->set_names(names);
}

asio::awaitable<void> Daemon::await_neighbours(model::Config config) {
    const auto addresses = State::backend_addresses(config);
    const auto deadline = std::chrono::steady_clock::now() + neighbour_patience;
    asio::steady_timer timer(io_);
    while (std::chrono::steady_clock::now() < deadline) {
        const bool all_known =
            std::all_of(addresses.begin(), addresses.end(),
                        [&](const Address& address) { return neighbours_->get(address); });
        if (all_known) co_return;
        timer.expires_after(neighbour_poll);
        boost::system::error_code ignored;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
}

Result<void> Daemon::attach_all(const model::Config& config) {
    const auto& wanted = config.node.interfaces;
    for (const auto& name : wanted)
        if (auto attached = attach(name, config.node.xdp_mode); !attached) return attached;
    for (const auto& attachment : dataplane_->attachments()) {
        if (std::find(wanted.begin(), wanted.end(), attachment.interface) != wanted.end()) continue;
        if (auto off = dataplane_->detach(attachment.interface); !off) return off;
        spdlog::info("{}: program taken off, it is no longer in [node] interfaces",
                     attachment.interface);
    }
    return {};
}

Result<void> Daemon::attach(const std::string& interface, model::XdpMode mode) {
    auto attached = dataplane_->attach(interface, mode);
    if (!attached) {
        attach_problems_[interface] = attached.error().text();
        return failure(std::move(attached.error()));
    }
    attach_problems_.erase(interface);
    spdlog::info("{}: program {}, {} mode", interface,
                 attached->adopted ? "swapped in place" : "attached",
                 attached->mode == model::XdpMode::native ? "native" : "generic");
    if (!attached->warning.empty()) spdlog::warn("{}: {}", interface, attached->warning);
    return {};
}

// Addresses that a daemon of ours left and the configuration no longer has.
Result<void> Daemon::drop_stale_vips(const model::Config& config) {
    auto stale = VipKeeper::release_others(
        [&](const Address& address) { return has_vip(config, address); });
    if (!stale) return failure(std::move(stale.error()));
    for (const auto& address : *stale)
        spdlog::info("VIP {} released: it is no longer in the configuration", address);
    return {};
}

void Daemon::undo_start(const model::Config& config) {
    for (const auto& vip : config.vips)
        if (auto released = vips_->release(vip.address); !released)
            spdlog::error("{}", released.error().text());
    dataplane_.reset();
    if (auto detached = dataplane::Dataplane::detach_all(options_.bpffs); !detached)
        spdlog::error("{}", detached.error().text());
}

// ---- what changes by itself ----

Result<std::size_t> Daemon::converge(const model::Config& config) {
    auto plan = model::plan(dataplane_->tables(), state_->desired(config));
    if (!plan) return failure(std::move(plan.error()));
    if (auto applied = dataplane_->apply(*plan); !applied)
        return failure(std::move(applied.error()));
    if (!plan->writes.empty()) spdlog::debug("{} table writes", plan->writes.size());
    return plan->writes.size();
}

void Daemon::on_neighbours(const std::vector<NeighbourState>& changes) {
    for (const auto& change : changes) {
        state_->set_next_hop(change.address, change.next_hop, change.reason);
        if (change.next_hop)
            spdlog::info("backend {} is at {} on {}", change.address.to_string(),
                         change.next_hop->mac.to_string(),
                         interface_name(change.next_hop->ifindex));
        else
            spdlog::warn("backend {} takes no flows: {}", change.address.to_string(),
                         change.reason);
    }
    if (!running()) return;
    if (auto written = converge(state_->config()); !written)
        spdlog::error("{}", written.error().text());
}

void Daemon::on_link(const LinkChange& change) {
    if (!running()) return;
    if (!change.now) {
        spdlog::error("interface {} is gone", change.name);
        return;
    }
    const bool another = !change.before || change.before->ifindex != change.now->ifindex;
    if (!another && change.before->mac != change.now->mac)
        dataplane_->interface_mac_changed(change.now->ifindex, change.now->mac);
    if (!another && change.before->carrier != change.now->carrier)
        spdlog::warn("interface {}: link {}", change.name, change.now->carrier ? "up" : "down");
    if (another) restore_interface(change.name);
}

// An interface of that name is there again: program and addresses went with the old one.
void Daemon::restore_interface(const std::string& name) {
    spdlog::warn("interface {} is new: setting it up", name);
    const model::Config& config = state_->config();
    const auto& names = config.node.interfaces;
    if (std::find(names.begin(), names.end(), name) != names.end())
        if (auto attached = attach(name, config.node.xdp_mode); !attached)
            spdlog::error("{}", attached.error().text());
    for (const auto& vip : config.vips) {
        if (vip.interface != name) continue;
        if (auto held = vips_->hold(vip); !held) spdlog::error("{}", held.error().text());
    }
}

Result<void> Daemon::say(const BackendName& backend, const OperatorWord& word) {
    if (auto kept = state_->words().set(backend, word); !kept) return kept;
    if (auto written = converge(state_->config()); !written)
        return failure(std::move(written.error()));
    return {};
}

void Daemon::set_log_level(model::LogLevel level) {
    spdlog::set_level(to_spdlog(level));
}

// ---- the end ----

Result<Detached> Daemon::detach() {
    worker_.reset();
    neighbours_.reset();
    links_.reset();
    Detached detached;
    // The address first: nothing is drawn here any more when the program goes.
    for (const auto& vip : state_->config().vips) {
        if (auto released = vips_->release(vip.address); !released)
            return failure(std::move(released.error()));
        detached.vips.push_back(vip.address.to_string());
    }
    for (const auto& attachment : dataplane_->attachments())
        detached.interfaces.push_back(attachment.interface);
    dataplane_.reset();
    if (auto gone = dataplane::Dataplane::detach_all(options_.bpffs); !gone)
        return failure(std::move(gone.error()));
    return detached;
}

Result<Detached> Daemon::detach_dead(const std::string& bpffs) {
    auto vips = VipKeeper::release_others([](const Address&) { return false; });
    if (!vips) return failure(std::move(vips.error()));
    if (auto gone = dataplane::Dataplane::detach_all(bpffs); !gone)
        return failure(std::move(gone.error()));
    return Detached{{}, std::move(*vips)};
}

}  // namespace bascule::node
