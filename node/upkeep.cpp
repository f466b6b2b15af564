// SPDX-License-Identifier: Apache-2.0
// What the daemon does by itself while nobody asks: it follows neighbours and links, keeps the
// tables what they should be, and tries again what the kernel refused.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/interface_index.h"
#include "model/plan.h"
#include "node/cluster_hash.h"
#include "node/daemon.h"
#include "node/probe_path.h"
#include "node/slots.h"

namespace bascule::node {

using namespace std::chrono_literals;

namespace {

// A switch that comes back brings hundreds of neighbours within a moment: one plan for all of them.
constexpr auto gather_time = 20ms;
// Between two looks at the programs: one system call an interface.
constexpr auto program_watch = 10ms;
// Between two attempts at what the kernel refuses.
constexpr auto retry_time = 5s;

bool has_interface(const model::Config& config, const std::string& name) {
    const auto& names = config.node.interfaces;
    return std::find(names.begin(), names.end(), name) != names.end();
}

// Whether a service or backend stands elsewhere afterwards.
bool moves_a_slot(const model::Write& write) {
    if (const auto* backend = std::get_if<model::SetBackend>(&write)) return backend->fresh;
    if (const auto* service = std::get_if<model::SetService>(&write)) return service->fresh;
    return std::holds_alternative<model::ClearBackend>(write) ||
           std::holds_alternative<model::ClearService>(write);
}

void log_change(const NeighbourState& change) {
    if (change.next_hop)
        spdlog::info("backend {} is at {} on {}{}", change.address.to_string(),
                     change.next_hop->mac.to_string(), interface_name(change.next_hop->ifindex),
                     change.via ? " behind gateway " + change.via->to_string() : "");
    else
        spdlog::warn("backend {} takes no flows: {}", change.address.to_string(),
                     change.local ? "it is this host itself" : change.reason);
}

std::map<BackendName, std::uint64_t> sessions_by_name(const model::Config& config,
                                                      const model::Tables& tables,
                                                      const SessionReport& report) {
    const Slots slots(tables);
    std::map<BackendName, std::uint64_t> counts;
    for (const auto& service : config.services)
        for (const auto& backend : service.backends) {
            const auto slot = slots.backend(key_of(service), key_of(backend));
            const auto found =
                slot ? report.pass.by_backend.find(*slot) : report.pass.by_backend.end();
            if (found != report.pass.by_backend.end())
                counts[{service.name, backend.name}] = found->second;
        }
    return counts;
}

}  // namespace

Result<std::size_t> Daemon::converge(const model::Config& config) {
    auto written = write_tables(config);
    tables_problem_ = written ? "" : written.error().text();
    if (!written) upkeep_soon_.within(retry_time);
    return written;
}

// An address goes before its tables, and comes after them.
Result<std::size_t> Daemon::settle() {
    vip_duty_->give_up();
    const std::string before = tables_problem_;
    auto written = converge(state_->config());
    if (written)
        vip_duty_->take_back();
    else if (tables_problem_ != before)
        spdlog::error("{}; trying again", tables_problem_);
    for (auto& change : readiness_.follow(*state_))
        events_.add(change.ready ? Event::Kind::service_up : Event::Kind::service_down,
                    std::move(change.service), std::move(change.text));
    return written;
}

Result<std::size_t> Daemon::write_tables(const model::Config& config) {
    const model::Desired desired = state_->desired(config);
    auto plan = model::plan(dataplane_->tables(), desired, ring_memo_);
    if (!plan) return failure(std::move(plan.error()));
    if (cluster_) cluster_->retire(*plan);
    auto applied = dataplane_->apply(*plan);
    if (cluster_ && (!applied || changes_ids(*plan))) cluster_->set_tables(dataplane_->tables());
    // What failed half-way has been put in order by the tables' writer, who may have moved any.
    if (checks_ &&
        (!applied || std::any_of(plan->writes.begin(), plan->writes.end(), moves_a_slot)))
        checks_->slots_changed();
    if (!applied) return failure(std::move(applied.error()));
    ring_hash_ = bascule::node::ring_hash(desired, ring_key_);
    say_facts();
    if (!plan->writes.empty()) spdlog::debug("{} table writes", plan->writes.size());
    return plan->writes.size();
}

void Daemon::upkeep() {
    if (!running()) return;
    const auto problems = attach_problems_;
    for (const auto& [name, problem] : problems)
        if (has_interface(state_->config(), name)) restore_program(name);
    if (!checks_->path_problem().empty()) open_path(state_->config());
    settle();
}

void Daemon::on_neighbours(const std::vector<NeighbourState>& changes) {
    for (const auto& change : changes) {
        state_->set_neighbour(change);
        log_change(change);
    }
    if (running()) settle_soon_.within(gather_time);
}

void Daemon::on_link(const LinkChange& change) {
    if (!running()) return;
    if (change.name == probe_stack_end || change.name == probe_our_end) {
        // With one end the other goes: the word of that may come when both are there again.
        if (!change.now && change.before && interface_index(change.name) == 0 &&
            probes_by_vip(state_->config()))
            spdlog::warn("interface {} is gone, and not by us: making it anew", change.name);
        return open_path(state_->config());
    }
    if (!change.now) {
        spdlog::error("interface {} is gone", change.name);
        say_facts();
        return;
    }
    if (!change.before || change.before->ifindex != change.now->ifindex)
        return restore_interface(change.name);
    if (change.before->bond != change.now->bond && has_interface(state_->config(), change.name))
        restore_program(change.name);
    const bool mac_changed = change.before->mac != change.now->mac;
    const bool carrier_changed = change.before->carrier != change.now->carrier;
    say_facts();
    if (mac_changed) dataplane_->interface_mac_changed(change.now->ifindex, change.now->mac);
    if (carrier_changed)
        spdlog::warn("interface {}: link {}", change.name, change.now->carrier ? "up" : "down");
    // Others still have the old MAC address, or switches have forgotten where we are.
    if (mac_changed || (carrier_changed && change.now->carrier)) vips_->announce_on(change.name);
    if (cluster_ && (mac_changed || carrier_changed)) cluster_->look_at(change.name);
}

// What fits no service goes up to Linux while it has the address, and is dropped while not.
void Daemon::on_vip_held(const Address& vip, bool held) {
    state_->set_held(vip, held);
    if (running()) settle_soon_.within(gather_time);
}

void Daemon::on_sessions(const SessionReport& report) {
    session_report_ = report;
    auto& drains = state_->drains();
    drains.follow(state_->config(), state_->words(), std::chrono::steady_clock::now());
    if (drains.empty()) return;
    const auto counts = sessions_by_name(state_->config(), dataplane_->tables(), report);
    const auto count_of = [&](const BackendName& name) {
        const auto found = counts.find(name);
        return found == counts.end() ? 0 : found->second;
    };
    for (const auto& [service, backend] : drains.count(report.began, count_of))
        spdlog::info("drain of {}/{} is complete: its last session is gone", service, backend);
}

// An interface of that name is there again: program and addresses went with the old one.
void Daemon::restore_interface(const std::string& name) {
    spdlog::warn("interface {} is new: setting it up", name);
    if (has_interface(state_->config(), name)) restore_program(name);
    vips_->keep_on(name);
    if (cluster_) cluster_->look_at(name);
    say_facts();
}

void Daemon::restore_program(const std::string& name) {
    const auto known = attach_problems_.find(name);
    const std::string before = known == attach_problems_.end() ? "" : known->second;
    auto attached = attach(name, state_->config().node.xdp_mode);
    if (attached) return program_pace_.put_back(name);
    if (attached.error().text() != before)
        spdlog::error("{}; trying again", attached.error().text());
    upkeep_soon_.within(retry_time);
}

// Nothing tells that a link was detached by hand, and without the program Linux answers clients.
void Daemon::watch_programs() {
    watch_programs_.within(program_watch);
    if (running() && !detaching_) restore_programs();
}

void Daemon::restore_programs() {
    const auto attachments = dataplane_->attachments();
    for (const auto& name : state_->config().node.interfaces) {
        const bool is_there =
            std::any_of(attachments.begin(), attachments.end(),
                        [&](const auto& each) { return each.interface == name && each.alive; });
        if (is_there || attach_problems_.contains(name) || !links_->get(name)) continue;
        if (program_pace_.may(name, std::chrono::steady_clock::now()))
            restore_taken_off(name);
        else if (program_pace_.put_off(name))
            say_facts();  // until then a peer that has its program is to have the VIPs
    }
}

void Daemon::restore_taken_off(const std::string& name) {
    const auto now = std::chrono::steady_clock::now();
    if (!program_pace_.is_fought(name, now))
        spdlog::warn("{}: the program was taken off, and not by us: putting it back", name);
    if (program_pace_.note(name, now))
        events_.add(
            Event::Kind::program_fought, name,
            fmt::format("{} times within {} s, and not by us: from now on it is put back "
                        "once in {} s",
                        ProgramPace::at_once, ProgramPace::lately / 1s, ProgramPace::slow / 1s));
    restore_program(name);
    say_facts();
}

}  // namespace bascule::node
