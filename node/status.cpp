// SPDX-License-Identifier: Apache-2.0
#include "node/status.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "node/facts.h"
#include "node/health_facts.h"
#include "node/health_findings.h"
#include "node/http_desk.h"
#include "node/peer_answers.h"
#include "node/version.h"
#include "node/vip_answers.h"

namespace bascule::node {

namespace {

using control::Status;

void add_degradation(Status& status, std::string what, std::string mend = {}) {
    auto* entry = status.add_degradations();
    entry->set_what(std::move(what));
    entry->set_mend(std::move(mend));
}

void add_counter(Status& status, const char* name, const char* meaning, std::uint64_t count) {
    auto* counter = status.add_counters();
    counter->set_name(name);
    counter->set_meaning(meaning);
    counter->set_count(count);
}

void fill_process(Status& status, const Daemon& daemon) {
    status.set_version(version);
    status.set_node(daemon.state().config().node.name);
    status.set_pid(::getpid());
    status.set_uptime_seconds(static_cast<std::uint64_t>(daemon.uptime().count()));
    status.set_adopted(daemon.dataplane().adopted());
    status.set_bpffs(daemon.options().bpffs);
    for (const auto& file : daemon.loaded().files)
        status.add_config_files(file);
    status.set_config_hash(daemon.loaded().hash);
    if (!daemon.last_reload()) return;
    const ReloadReport& last = *daemon.last_reload();
    auto* reload = status.mutable_last_reload();
    reload->set_unix_seconds(static_cast<std::uint64_t>(last.unix_seconds));
    reload->set_ok(last.outcome == ReloadReport::Outcome::applied);
    reload->set_message(last.message);
    for (const auto& line : last.details)
        reload->add_details(line);
    if (last.outcome == ReloadReport::Outcome::refused)
        add_degradation(status, "the last reload was refused: " + last.message,
                        "mend the file, then `bascule check` and `bascule reload`");
    else if (!reload->ok())
        add_degradation(status, "the last reload failed and was taken back: " + last.message,
                        "mend the cause, then `bascule reload`");
}

void fill_link(control::Interface& message, const Daemon& daemon, Status& status) {
    const auto link = daemon.links().get(message.name());
    if (!link) {
        add_degradation(status, message.name() + ": there is no such interface");
        return;
    }
    message.set_ifindex(link->ifindex);
    message.set_mac(link->mac.to_string());
    message.set_link_up(link->carrier);
    message.set_mtu(link->mtu);
    if (!link->carrier)
        add_degradation(status, message.name() + ": the link is down",
                        link->up ? "" : "ip link set " + message.name() + " up");
}

void fill_interfaces(Status& status, const Daemon& daemon) {
    const auto attachments = daemon.dataplane().attachments();
    for (const auto& name : daemon.state().config().node.interfaces) {
        auto* message = status.add_interfaces();
        message->set_name(name);
        message->set_driver(driver_of(name));
        fill_link(*message, daemon, status);
        const auto attachment =
            std::find_if(attachments.begin(), attachments.end(),
                         [&](const auto& each) { return each.interface == name && each.alive; });
        message->set_attached(attachment != attachments.end());
        if (daemon.program_pace().is_fought(name, std::chrono::steady_clock::now()))
            add_degradation(status,
                            name +
                                ": somebody goes on taking the program off; it is put back "
                                "once a second",
                            "what else on this host manages XDP? `bpftool net`");
        if (attachment == attachments.end()) {
            const auto problem = daemon.attach_problems().find(name);
            if (problem != daemon.attach_problems().end()) message->set_warning(problem->second);
            add_degradation(status, name + ": carries no program" +
                                        (message->warning().empty() ? "" : ": ") +
                                        message->warning());
            continue;
        }
        const bool native = attachment->mode == model::XdpMode::native;
        message->set_mode(native ? control::Interface::MODE_NATIVE
                                 : control::Interface::MODE_GENERIC);
        message->set_adopted(attachment->adopted);
        message->set_warning(attachment->warning);
        if (!native && daemon.state().config().node.xdp_mode == model::XdpMode::automatic)
            add_degradation(status, name + ": generic mode: slower than the driver's own",
                            "set [node] xdp_mode = \"generic\" if that is meant");
    }
}

// Of a node by itself; a cluster has its own findings.
void find_vips(Status& status, const Daemon& daemon) {
    if (daemon.state().config().cluster) return;
    for (const auto& [vip, known] : daemon.vips().status())
        // One that is given up is told with its service.
        if (!known.held && daemon.state().wants_vip(vip))
            add_degradation(status,
                            fmt::format("VIP {} is not held: {}", vip.to_string(), known.problem));
}

void add(Status& status, std::vector<Finding> found) {
    for (auto& finding : found) {
        const bool problem = finding.level == Finding::Level::problem;
        auto* entry = problem ? status.add_degradations() : status.add_notices();
        entry->set_what(std::move(finding.what));
        entry->set_mend(std::move(finding.mend));
    }
}

void fill_health(Status& status, const Daemon& daemon) {
    const HealthFacts facts = gather_health_facts(daemon);
    add(status, health_findings(facts));
    const HealthCounts counts = count(facts);
    status.set_services(static_cast<std::uint32_t>(facts.services.size()));
    status.set_services_without_backend(counts.idle_services);
    status.set_backends(counts.backends);
    status.set_backends_up(counts.serving);
    status.set_backends_down(counts.down);
    status.set_backends_checking(counts.checking);
    status.set_operator_words(static_cast<std::uint32_t>(daemon.state().words().size()));
}

void fill_tables(Status& status, const Daemon& daemon) {
    if (daemon.tables_problem().empty()) return;
    add_degradation(status, "the tables are not what they should be, which is tried again: " +
                                daemon.tables_problem());
}

void fill_http(Status& status, const Daemon& daemon) {
    if (daemon.http().problem().empty()) return;
    add_degradation(status,
                    "no metrics are served, which is tried again: " + daemon.http().problem(),
                    "free the address, or set another `listen` in [http]");
}

void fill_sessions(Status& status, const Daemon& daemon) {
    const SessionReport& report = daemon.sessions();
    auto* counts = status.mutable_sessions();
    counts->set_embryonic(report.pass.by_state[BSC_EMBRYONIC]);
    counts->set_adopted(report.pass.by_state[BSC_ADOPTED]);
    counts->set_closing(report.pass.by_state[BSC_CLOSING]);
    counts->set_established(report.pass.by_state[BSC_ESTABLISHED]);
    counts->set_from_peer(report.pass.from_peer);
    const auto& table = daemon.dataplane().sessions();
    counts->set_capacity_v4(table.capacity_v4());
    counts->set_capacity_v6(table.capacity_v6());
    counts->set_expired(report.expired);
    status.set_deltas_read(report.deltas_read);
    status.set_deltas_lost(report.deltas_lost);
}

std::uint64_t vips_restored(const Daemon& daemon) {
    std::uint64_t restored = daemon.vips().restored();
    if (daemon.cluster() != nullptr)
        for (const auto& vip : daemon.cluster()->vips().holder.vips)
            restored += vip.restored;
    return restored;
}

void fill_counters(Status& status, const Daemon& daemon) {
    const SessionReport& report = daemon.sessions();
    const NeighbourCounters& neighbours = daemon.neighbours().counters();
    add_counter(status, "sweeps", "passes over the session tables", report.passes);
    add_counter(status, "sessions_ended_idle", "established sessions that ended by idleness",
                report.ended);
    add_counter(status, "sessions_duplicate", "second copies of a session that were removed",
                report.duplicates);
    add_counter(status, "claims_abandoned", "ways whose writer died, freed by the sweep",
                report.abandoned);
    add_counter(status, "neighbour_asks", "times the kernel was asked to resolve a backend",
                neighbours.asks);
    add_counter(status, "netlink_overruns", "times events of the kernel were lost and read anew",
                neighbours.overruns + daemon.links().overruns());
    add_counter(status, "vips_restored", "times a VIP was set again after a stranger took it away",
                vips_restored(daemon));
    add_counter(status, "programs_restored",
                "times a program was put back after a stranger took it off",
                daemon.program_pace().restored());
    std::uint64_t checks = 0, failures = 0;
    for (const auto* record : daemon.checks().checker().all()) {
        checks += record->checks;
        failures += record->failures;
    }
    add_counter(status, "checks", "checks of backends that have ended", checks);
    add_counter(status, "checks_failed", "of these: bad ones", failures);
    add_counter(status, "events", "events that have happened", daemon.events().last_serial());
    add_counter(status, "hook_runs", "times the hook has run", daemon.hook().runs());
    add_counter(status, "hook_failed", "of these: it failed", daemon.hook().failures());
    add_counter(status, "hook_dropped", "changes that no hook was run for",
                daemon.hook().dropped());
}

}  // namespace

Status make_status(const Daemon& daemon) {
    Status status;
    // What clients meet comes first: who looks at it at night has little time and few lines.
    fill_health(status, daemon);
    fill_process(status, daemon);
    fill_interfaces(status, daemon);
    fill_vips(*status.mutable_vips(), daemon);
    find_vips(status, daemon);
    fill_witnesses(*status.mutable_witnesses(), daemon);
    fill_tables(status, daemon);
    fill_http(status, daemon);
    add(status, peer_findings(gather_cluster_facts(daemon)));
    add(status, vip_findings(gather_vip_facts(daemon)));
    if (daemon.cluster() != nullptr) *status.mutable_peers() = make_peers(daemon);
    add(status, findings(gather_facts(daemon)));
    fill_sessions(status, daemon);
    fill_counters(status, daemon);
    return status;
}

}  // namespace bascule::node
