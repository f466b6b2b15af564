// SPDX-License-Identifier: Apache-2.0
// An edit of the files while the daemon runs: checked whole, applied whole, or refused whole.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <set>

#include "model/plan.h"
#include "node/bridge.h"
#include "node/cluster_keys.h"
#include "node/config_diff.h"
#include "node/daemon.h"
#include "node/http_desk.h"

namespace bascule::node {

namespace asio = boost::asio;

namespace {

using Outcome = ReloadReport::Outcome;

std::int64_t now_unix() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::vector<std::string> interfaces_only_in(const model::Config& these,
                                            const model::Config& others) {
    std::vector<std::string> names;
    const auto& there = others.node.interfaces;
    for (const auto& name : these.node.interfaces)
        if (std::find(there.begin(), there.end(), name) == there.end()) names.push_back(name);
    return names;
}

std::vector<Address> backends_of_both(const model::Config& one, const model::Config& other) {
    std::set<Address> all;
    for (const auto* config : {&one, &other})
        for (const auto& address : State::backend_addresses(*config))
            all.insert(address);
    return {all.begin(), all.end()};
}

// What is laid down when the programs are loaded, and so takes a restart.
Result<void> check_fixed(const model::NodeConfig& runs, const model::NodeConfig& next) {
    const auto refuse = [](const char* key) {
        return failure(
            fmt::format("[node] {} cannot change while basculed runs: restart it "
                        "(traffic goes on meanwhile, sessions are kept)",
                        key));
    };
    if (runs.max_sessions != next.max_sessions) return refuse("max_sessions");
    if (runs.max_sessions_v6 != next.max_sessions_v6) return refuse("max_sessions_v6");
    if (runs.xdp_mode != next.xdp_mode)
        return failure(
            "[node] xdp_mode cannot change under traffic: `bascule detach`, then start basculed "
            "again");
    return {};
}

}  // namespace

asio::awaitable<ReloadReport> Daemon::reload() {
    if (busy()) {
        ReloadReport refused;
        refused.outcome = Outcome::busy;
        refused.message = detaching_ ? "a detach is under way"
                                     : "another reload is under way: ask again when it is done";
        refused.unix_seconds = now_unix();
        co_return refused;
    }
    reloading_ = true;
    ReloadReport report;
    try {
        report = co_await reload_now();
    } catch (const std::exception& bug) {  // must not bar all reloads to come
        report.outcome = Outcome::failed;
        report.message = fmt::format("internal error: {}", bug.what());
    }
    reloading_ = false;
    report.unix_seconds = now_unix();
    last_reload_ = report;
    for (const auto& line : report.details)
        spdlog::error("{}", line);
    if (report.outcome != Outcome::applied)
        events_.add(Event::Kind::reload_refused, "", report.message);
    else
        events_.add(Event::Kind::reload, "",
                    fmt::format("{} {}, {} table {}", report.changes.size(),
                                report.changes.size() == 1 ? "change" : "changes", report.writes,
                                report.writes == 1 ? "write" : "writes"));
    if (std::exchange(reload_again_, false)) request_reload();
    co_return report;
}

void Daemon::request_reload() {
    if (reloading_) {
        reload_again_ = true;
        return;
    }
    asio::co_spawn(
        io_, [this]() -> asio::awaitable<void> { co_await reload(); }, asio::detached);
}

asio::awaitable<ReloadReport> Daemon::reload_now() {
    ReloadReport report;
    LoadedConfig loaded = load_config(options_.config);
    const auto refuse = [&report](std::string why) {
        report.outcome = Outcome::refused;
        report.message = std::move(why);
        return report;
    };
    for (const auto& error : loaded.parsed.errors)
        report.details.push_back(error.to_string());
    if (!loaded.parsed.config)
        co_return refuse("the configuration has errors; everything stays as it runs");

    const model::Config before = state_->config();
    const model::Config next = *loaded.parsed.config;
    if (auto fixed = check_fixed(before.node, next.node); !fixed)
        co_return refuse(fixed.error().text());
    auto keys = keys_for(next, ring_key_);
    if (!keys) {
        report.details.push_back(keys.error().text());
        co_return refuse("the key of the cluster cannot be used; everything stays as it runs");
    }
    if (auto fits = model::plan(dataplane_->tables(), state_->desired(next), ring_memo_); !fits)
        co_return refuse(fits.error().text());
    if (auto clear = co_await clear_the_way(before, next); !clear) {
        run_with(before);
        co_return refuse(clear.error().text());
    }
    const std::size_t led = co_await lead_over(before, next);
    auto written = switch_to(state_->config(), next);
    if (!written) {
        if (led > 0) switch_to(state_->config(), before);
        http_->keep(before);
        report.outcome = Outcome::failed;
        report.message = written.error().text();
        co_return report;
    }
    report.changes = describe_changes(before, next);
    for (auto& line : co_await follow_cluster(before, next, std::move(*keys)))
        report.changes.push_back(std::move(line));
    report.writes = led + *written;
    loaded_ = std::move(loaded);
    say_facts();
    co_return report;
}

// Everything that can be found out, or waited for, before anything is changed.
asio::awaitable<Result<void>> Daemon::clear_the_way(const model::Config& before,
                                                    const model::Config& next) {
    if (auto exist = check_interfaces(next); !exist) co_return exist;
    if (auto alone = may_be_alone(next); !alone) co_return alone;
    if (auto free = co_await vips_->check_free(vip_duty_->to_hold(next)); !free) co_return free;
    neighbours_->set_targets(backends_of_both(before, next));
    co_await await_neighbours(next);
    // Last, for it is changed already; an address that could not be had before is no reason.
    if (before.http == next.http) co_return Result<void>{};
    co_return http_->follow(next);
}

// Where the straight way would stop a service, goes as far as to the bridge and waits there for the
// first verdicts. How many writes it took.
asio::awaitable<std::size_t> Daemon::lead_over(const model::Config& before,
                                               const model::Config& next) {
    const auto over = bridge(*state_, next);
    if (!over || !model::plan(dataplane_->tables(), state_->desired(*over), ring_memo_))
        co_return 0;
    const auto written = switch_to(before, *over);
    if (!written) co_return 0;
    co_await await_verdicts();
    co_return *written;
}

// From one configuration to the next without a pause, so that nothing sees half of it. When the
// kernel refuses a step, the earlier configuration is put back.
Result<std::size_t> Daemon::switch_to(const model::Config& before, const model::Config& next) {
    auto written = try_switch(before, next);
    if (!written) {
        spdlog::error("reload failed, going back: {}", written.error().text());
        go_back(next, before);
    }
    run_with(written ? next : before);
    settle();
    return written;
}

// Whatever follows a configuration follows this one from now on.
void Daemon::run_with(const model::Config& config) {
    state_->set_config(config);
    open_path(config);
    checks_->follow();
    neighbours_->set_targets(State::backend_addresses(config));
    if (auto watched = watch_interfaces(config); !watched)
        spdlog::error("{}", watched.error().text());
    set_log_level(config.log.level);
    hook_.set_config(config.hook, config.node.name);
}

Result<std::size_t> Daemon::try_switch(const model::Config& from, const model::Config& to) {
    for (const auto& name : interfaces_only_in(to, from))
        if (auto attached = attach(name, to.node.xdp_mode); !attached)
            return failure(std::move(attached.error()));
    // An address goes before its tables, and comes after them.
    if (auto released = vip_duty_->release_others(to); !released)
        return failure(std::move(released.error()));
    if (cluster_) cluster_->release_others(to);
    auto written = converge(to);
    if (!written) return written;
    if (auto held = vip_duty_->hold(to); !held) return failure(std::move(held.error()));
    follow_vips(from, to);
    if (auto off = detach_others(to); !off) return failure(std::move(off.error()));
    return written;
}

// After a try_switch() the other way that ended anywhere: every step that can be gone is.
void Daemon::go_back(const model::Config& from, const model::Config& to) {
    const auto tell = [](const auto& step) {
        if (!step) spdlog::error("going back: {}", step.error().text());
    };
    for (const auto& name : interfaces_only_in(to, from))
        tell(attach(name, to.node.xdp_mode));
    tell(vip_duty_->release_others(to));
    tell(converge(to));
    vip_duty_->keep(to);
    follow_vips(from, to);
    tell(detach_others(to));
}

}  // namespace bascule::node
