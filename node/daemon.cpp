// SPDX-License-Identifier: Apache-2.0
#include "node/daemon.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>

#include "node/files.h"
#include "node/http_desk.h"
#include "node/probe_path.h"

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

// Each once, those of VIPs included.
std::vector<std::string> interfaces_of(const model::Config& config) {
    std::set<std::string> names(config.node.interfaces.begin(), config.node.interfaces.end());
    for (const auto& vip : config.vips)
        names.insert(vip.interface);
    return {names.begin(), names.end()};
}

bool has_vip(const std::vector<model::VipConfig>& vips, const Address& address) {
    return std::any_of(vips.begin(), vips.end(),
                       [&](const auto& vip) { return vip.address == address; });
}

}  // namespace

Daemon::Daemon(asio::io_context& io, Options options)
    : io_(io),
      options_(std::move(options)),
      takers_(options_.runtime_dir),
      hook_(io),
      started_(std::chrono::steady_clock::now()),
      hearing_(io),
      settle_soon_(io,
                   [this] {
                       if (running()) settle();
                   }),
      upkeep_soon_(io, [this] { upkeep(); }),
      every_second_(io, [this] { every_second(); }),
      watch_programs_(io, [this] { watch_programs(); }),
      http_(std::make_unique<HttpDesk>(io, *this)) {
    events_.set_listener([this](const Event& event) { hook_.on(event); });
}

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
    hook_.set_config(config.hook, config.node.name);
    takers_.begin();
    auto taken_up = co_await take_up(config);
    if (taken_up) co_return taken_up;
    if (dataplane_ && !dataplane_->adopted() && !dataplane_->inherited()) undo_start();
    co_return taken_up;
}

asio::awaitable<Result<void>> Daemon::take_up(const model::Config& config) {
    if (auto opened = open_parts(config); !opened) co_return opened;
    vip_duty_->begin(config);
    if (config.cluster) vip_duty_->rest();
    if (auto free = co_await vips_->check_free(vip_duty_->to_hold(config)); !free) co_return free;
    if (auto opened = open_dataplane(config); !opened) co_return opened;
    if (!config.cluster)
        if (auto free = dataplane_->vip_guard().keep({}); !free) co_return free;
    neighbours_->set_targets(State::backend_addresses(config));
    co_await await_neighbours(config);

    // What may well be refused comes first: adopted tables are then as they were. Tables come
    // before the addresses that draw packets to them, and go after those.
    if (auto put = put_programs_on(config); !put) co_return put;
    if (auto dropped = drop_stale_vips(config); !dropped) co_return dropped;
    if (auto written = converge(config); !written) co_return failure(std::move(written.error()));
    begin_checks(config);
    co_await await_verdicts();
    if (auto dropped = drop_stale_vips(config); !dropped) co_return dropped;
    if (auto written = converge(config); !written) co_return failure(std::move(written.error()));
    if (auto held = vip_duty_->hold(config); !held) co_return held;
    if (auto off = detach_others(config); !off) co_return off;
    worker_ = std::make_unique<SessionWorker>(
        io_, *dataplane_, [this](const SessionReport& report) { on_sessions(report); });
    if (auto opened = open_cluster(config, {}); !opened) co_return opened;
    every_second();
    watch_programs();
    http_->keep(config);
    // Only now does Linux answer for the VIPs.
    if (auto written = settle(); !written) co_return failure(std::move(written.error()));
    events_.add(Event::Kind::started, "",
                std::string("basculed has started, ") +
                    (dataplane_->adopted() ? "with the tables of an earlier process"
                                           : "with tables of its own"));
    co_return Result<void>{};
}

// Tables that are new are filled before a program that goes by them takes the place of an earlier
// one. So are those of a start that came to its end before: what it wrote, nobody goes by yet.
Result<void> Daemon::put_programs_on(const model::Config& config) {
    if (dataplane_->inherited() || dataplane_->tables().services.empty())
        if (auto written = converge(config); !written) return failure(std::move(written.error()));
    for (const auto& name : config.node.interfaces)
        if (auto attached = attach(name, config.node.xdp_mode); !attached) return attached;
    // No reason to end: it only takes memory.
    if (auto dropped = dataplane_->drop_other_layouts(); !dropped)
        spdlog::warn("tables of another version are left: {}", dropped.error().text());
    return {};
}

// Whatever can fail for a reason outside before the data plane is touched.
Result<void> Daemon::open_parts(const model::Config& config) {
    if (auto made = make_directory(options_.state_dir); !made) return made;
    auto shared = SharedState::load(options_.state_dir, config.node.name);
    if (!shared) return failure(std::move(shared.error()));
    shared_ = std::move(*shared);
    state_ = std::make_unique<State>(config, OperatorWords(shared_));
    follow_shared(config);
    if (auto read = read_secrets(config); !read) return read;

    auto links = LinkWatch::open(io_, [this](const LinkChange& change) { on_link(change); });
    if (!links) return failure(std::move(links.error()));
    links_ = std::move(*links);
    if (auto exist = check_interfaces(config); !exist) return exist;
    if (auto watched = watch_interfaces(config); !watched) return watched;

    auto vips =
        VipKeeper::open(io_, [this](const Address& vip, bool held) { on_vip_held(vip, held); });
    if (!vips) return failure(std::move(vips.error()));
    vips_ = std::move(*vips);
    vip_duty_ = std::make_unique<VipDuty>(io_, *vips_, *state_, events_);
    auto neighbours = NeighbourWatch::open(
        io_, [this](const std::vector<NeighbourState>& changes) { on_neighbours(changes); });
    if (!neighbours) return failure(std::move(neighbours.error()));
    neighbours_ = std::move(*neighbours);
    return {};
}

Result<void> Daemon::open_dataplane(const model::Config& config) {
    auto opened = dataplane::Dataplane::open(
        {options_.bpffs, config.node.max_sessions, config.node.max_sessions_v6, ring_key_});
    if (!opened) return failure(std::move(opened.error()));
    dataplane_ = std::move(*opened);
    if (dataplane_->adopted()) {
        state_->assume(dataplane_->tables());
        spdlog::info("adopted the tables of an earlier process: {} services, {} backends",
                     dataplane_->tables().services.size(), dataplane_->tables().backends.size());
    }
    if (dataplane_->inherited()) {
        state_->presume();
        spdlog::info(
            "programs of an earlier process forward by tables that cannot be read: they are "
            "swapped when those of this one are filled, and all backends serve until checked");
    }
    return {};
}

Result<void> Daemon::check_interfaces(const model::Config& config) {
    auto requests = NetlinkRequests::open();
    if (!requests) return failure(std::move(requests.error()));
    const auto check = [&](const std::string& name, const std::string& of) -> Result<void> {
        auto link = find_link(*requests, name);
        if (!link) return failure(std::move(link.error()).within(of));
        if (link->ethernet) return {};
        return failure(Error("interface " + name + ": is not an Ethernet interface").within(of));
    };
    for (const auto& name : config.node.interfaces)
        if (auto well = check(name, "[node] interfaces"); !well) return well;
    for (const auto& vip : config.vips)
        if (auto well = check(vip.interface, "VIP " + vip.address.to_string()); !well) return well;
    return {};
}

// Also those that are not there now: their return is what has to be seen.
Result<void> Daemon::watch_interfaces(const model::Config& config) {
    auto names = interfaces_of(config);
    names.insert(names.end(), {probe_stack_end, probe_our_end});
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

Result<void> Daemon::attach(const std::string& interface, model::XdpMode mode) {
    const auto link = links_->get(interface);
    auto attached = dataplane_->attach(interface, mode, link ? route_ifindex(*link) : 0);
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

// From all interfaces that the configuration does not name.
Result<void> Daemon::detach_others(const model::Config& config) {
    const auto& wanted = config.node.interfaces;
    const auto is_wanted = [&](const std::string& name) {
        return std::find(wanted.begin(), wanted.end(), name) != wanted.end();
    };
    for (const auto& attachment : dataplane_->attachments()) {
        if (is_wanted(attachment.interface)) continue;
        if (auto off = dataplane_->detach(attachment.interface); !off) return off;
        spdlog::info("{}: program taken off, it is no longer in [node] interfaces",
                     attachment.interface);
    }
    std::erase_if(attach_problems_, [&](const auto& entry) { return !is_wanted(entry.first); });
    program_pace_.keep(wanted);
    return {};
}

// Addresses that a daemon of ours left and this node should not have.
Result<void> Daemon::drop_stale_vips(const model::Config& config) {
    const auto wanted = vip_duty_->wanted(config);
    auto stale =
        VipKeeper::release_others([&](const Address& address) { return has_vip(wanted, address); });
    if (!stale) return failure(std::move(stale.error()));
    for (const auto& address : *stale)
        spdlog::info("VIP {} released: it is no longer wanted here", address);
    return {};
}

// ---- while it runs ----

Result<void> Daemon::say(const BackendName& backend, const OperatorWord& word) {
    if (auto kept = state_->words().set(backend, word); !kept) return kept;
    events_.add(Event::Kind::operator_word, backend.first + "/" + backend.second, in_words(word));
    auto written = settle();
    // A drain begins when the ring has lost its backend: a walk that begins before may miss a
    // session that comes meanwhile.
    state_->drains().follow(state_->config(), state_->words(), std::chrono::steady_clock::now());
    if (!written) return failure(std::move(written.error()));
    return {};
}

void Daemon::set_log_level(model::LogLevel level) {
    spdlog::set_level(to_spdlog(level));
}

}  // namespace bascule::node
