// SPDX-License-Identifier: Apache-2.0
#include "node/doctor.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "node/address_probe.h"
#include "node/config_outside.h"
#include "node/doctor_look.h"
#include "node/version.h"

namespace bascule::node {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto poll = 10ms;
// The kernel asks three times, a second apart, before it gives an address up.
constexpr auto neighbour_patience = 4s;
constexpr std::size_t most_vips_asked = 64;

asio::awaitable<void> pause() {
    asio::steady_timer timer(co_await asio::this_coro::executor, poll);
    co_await timer.async_wait(asio::use_awaitable);
}

// Why nobody else may be asked whether he has a VIP, or need be; empty: he is asked.
std::string why_spared(DaemonOrNone daemon, const model::Config& config, const Address& vip) {
    if (!config.cluster) return {};
    if (daemon == nullptr) return "a peer may rightly hold it";
    return daemon->state().is_held(vip) ? "" : "a peer may rightly hold it";
}

// At once; the answers come within a second.
asio::awaitable<void> ask_for_vips(asio::io_context& io, DaemonOrNone daemon,
                                   const model::Config& config, NetlinkRequests& requests,
                                   InterfacesLook& look) {
    DuplicateProbe probe(io);
    std::size_t open = 0;
    look.vips.resize(std::min(config.vips.size(), most_vips_asked));
    for (std::size_t i = 0; i < look.vips.size(); ++i) {
        VipLook& vip = look.vips[i];
        vip.address = config.vips[i].address;
        vip.interface = config.vips[i].interface;
        vip.spared = why_spared(daemon, config, vip.address);
        if (!vip.spared.empty()) continue;
        const auto link = find_link(requests, vip.interface);
        if (!link) {
            vip.other = failure(link.error());
            continue;
        }
        ++open;
        probe.start(*link, vip.address, [&vip, &open](Result<std::optional<Mac>> answer) {
            vip.other = std::move(answer);
            --open;
        });
    }
    while (open > 0)
        co_await pause();
}

// What the kernel says of backends, when no daemon has asked it.
class OwnNeighbours {
public:
    static asio::awaitable<NeighbourOf> ask(asio::io_context& io, const model::Config& config) {
        auto opened = NeighbourWatch::open(io, [](const std::vector<NeighbourState>&) {});
        if (!opened) co_return [](const Address&) { return std::optional<NeighbourState>(); };
        const std::shared_ptr<NeighbourWatch> watch = std::move(*opened);
        const auto targets = State::backend_addresses(config);
        watch->set_targets(targets);
        const auto end = std::chrono::steady_clock::now() + neighbour_patience;
        const auto is_known = [&](const Address& target) { return watch->get(target).has_value(); };
        while (!std::all_of(targets.begin(), targets.end(), is_known) &&
               std::chrono::steady_clock::now() < end)
            co_await pause();
        co_return [watch](const Address& target) { return watch->get(target); };
    }
};

void fill(control::DoctorReport& report, const Examination& examination) {
    for (const DoctorFinding& finding : examination.findings()) {
        auto* message = report.add_findings();
        message->set_code(std::string(finding.entry->code));
        message->set_severity(std::string(name_of(finding.entry->severity)));
        message->set_what(finding.what);
        message->set_meaning(std::string(finding.entry->meaning));
        message->set_command(finding.command);
        message->set_advice(finding.advice);
    }
    for (const DoctorCheck& check : examination.checks()) {
        auto* message = report.add_checks();
        message->set_code(std::string(check.entry->code));
        message->set_result(std::string(name_of(check.result)));
        message->set_looks_at(std::string(check.entry->looks_at));
        message->set_why(check.why);
    }
}

asio::awaitable<void> examine_network(asio::io_context& io, const Options& options,
                                      DaemonOrNone daemon, const model::Config& config,
                                      Examination& examination) {
    auto requests = NetlinkRequests::open();
    if (!requests) {
        examination.fail_rest(requests.error().text());
        co_return;
    }
    NeighbourOf state_of;
    if (daemon != nullptr)
        state_of = [daemon](const Address& target) { return daemon->neighbours().get(target); };
    else
        state_of = co_await OwnNeighbours::ask(io, config);
    InterfacesLook interfaces = look_at_interfaces(options, daemon, config, state_of, *requests);
    judge_ways(look_at_ways(config, state_of, *requests), examination);
    co_await ask_for_vips(io, daemon, config, *requests, interfaces);
    judge_interfaces(interfaces, examination);
    if (daemon != nullptr && !daemon->running()) {  // meanwhile
        examination.fail_rest("basculed is stopping");
        co_return;
    }
    const ClusterLook cluster = look_at_cluster(daemon, config, *requests);
    judge_cluster(cluster, examination);
    examination.fail_rest(cluster.known ? "it was not looked at" : cluster.known.error().text());
}

// `running`: what the daemon runs by; none: what the files say counts.
asio::awaitable<control::DoctorReport> examine(asio::io_context& io, Options options,
                                               DaemonOrNone daemon,
                                               std::optional<model::Config> running) {
    LoadedConfig files = read_config(options.config);
    const std::optional<model::Config> config = running ? running : files.parsed.config;
    if (files.parsed.config) files.parsed.errors = check_outside(*files.parsed.config);
    Examination examination;
    judge_node(look_at_node(options, daemon, files, config), examination);
    judge_kernel(look_at_kernel(options, daemon), examination);
    if (config) co_await examine_network(io, options, daemon, *config, examination);
    examination.fail_rest("the configuration has errors");
    control::DoctorReport report;
    report.set_by_daemon(daemon != nullptr);
    report.set_version(version);
    if (config) report.set_node(config->node.name);
    fill(report, examination);
    co_return report;
}

}  // namespace

asio::awaitable<control::DoctorReport> examine(const Daemon& daemon) {
    const auto executor = co_await asio::this_coro::executor;
    auto& io = static_cast<asio::io_context&>(asio::query(executor, asio::execution::context));
    co_return co_await examine(io, daemon.options(), &daemon, daemon.state().config());
}

control::DoctorReport examine(const Options& options) {
    asio::io_context io{1};
    control::DoctorReport report;
    asio::co_spawn(io, examine(io, options, nullptr, std::nullopt),
                   [&](std::exception_ptr bug, control::DoctorReport made) {
                       if (bug) std::rethrow_exception(bug);
                       report = std::move(made);
                       io.stop();  // whatever else is under way is nobody's
                   });
    io.run();
    return report;
}

}  // namespace bascule::node
