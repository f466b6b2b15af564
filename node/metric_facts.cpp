// SPDX-License-Identifier: Apache-2.0
#include "node/metric_facts.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "node/daemon.h"
#include "node/slots.h"
#include "node/version.h"
#include "node/views.h"
#include "node/vip_answers.h"

namespace bascule::node {

namespace {

double in_seconds(sync::Nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

class Gathering {
public:
    explicit Gathering(const Daemon& daemon)
        : daemon_(daemon), state_(daemon.state()), slots_(daemon.dataplane().tables()) {}

    ServiceMetrics service(const model::ServiceConfig& config) {
        ServiceMetrics service;
        service.name = config.name;
        service.vip = config.vip.to_string();
        service.protocol = name_of(config.protocol);
        service.port = config.ports.to_string();
        if (const auto slot = slots_.service(key_of(config)))
            service.traffic = daemon_.dataplane().service_traffic(*slot);
        for (const auto& each : config.backends) {
            service.backends.push_back(backend(config, each));
            service.up |= service.backends.back().condition == BackendCondition::up;
        }
        service.up = service.up && !state_.view(config).below_quorum;
        return service;
    }

private:
    BackendMetrics backend(const model::ServiceConfig& service,
                           const model::BackendConfig& config) const {
        const BackendView view = state_.view(service, config);
        BackendMetrics backend;
        backend.name = config.name;
        backend.condition = view.condition;
        backend.weight = view.weight;
        if (const auto slot = slots_.backend(key_of(service), key_of(config))) {
            backend.traffic = daemon_.dataplane().backend_traffic(*slot);
            const auto& counts = daemon_.sessions().pass.by_backend;
            const auto found = counts.find(*slot);
            if (found != counts.end()) backend.sessions = found->second;
        }
        const auto* record = daemon_.checks().checker().find({service.name, config.name});
        if (record != nullptr)
            backend.checked = BackendMetrics::Checked{record->durations, record->by_failure};
        return backend;
    }

    const Daemon& daemon_;
    const State& state_;
    Slots slots_;
};

void add_sync(PeerMetrics& peer, const sync::ReplicaPeerView& replica) {
    peer.in_step = replica.synced;
    if (replica.lag) peer.lag = in_seconds(*replica.lag);
    peer.sent = replica.sent;
    peer.received = replica.received;
    peer.resyncs = replica.resyncs;
    peer.gaps = replica.gaps;
    peer.no_room = replica.no_room;
}

void add_heard(PeerMetrics& peer, const model::ClusterNodeConfig& node,
               const sync::PeerView& heard) {
    peer.up = heard.liveness == sync::Liveness::alive || heard.liveness == sync::Liveness::suspect;
    if (heard.wall_skew) peer.skew = in_seconds(*heard.wall_skew);
    for (std::size_t i = 0; i < std::min(heard.paths.size(), node.addresses.size()); ++i)
        if (heard.paths[i].rtt.count() > 0)
            peer.paths.push_back({node.addresses[i].to_string(), in_seconds(heard.paths[i].rtt)});
}

WireMetrics wire_metrics(const sync::WireState& wire) {
    return {
        .sent = wire.sent,
        .failed = wire.send_errors,
        .received = wire.received,
        .unopened = std::accumulate(wire.unopened.begin(), wire.unopened.end(), std::uint64_t{0}),
        .dropped = wire.dropped};
}

void gather_cluster(MetricFacts& facts, const Daemon& daemon) {
    if (daemon.cluster() == nullptr) return;
    const ClusterView& view = daemon.cluster()->view();
    facts.sync_dropped = view.replication.dropped;
    facts.wire = wire_metrics(view.heartbeats.wire);
    for (std::size_t i = 0; i < view.peers.size(); ++i) {
        PeerMetrics peer;
        peer.name = view.peers[i].name;
        if (i < view.heartbeats.peers.size())
            add_heard(peer, view.peers[i], view.heartbeats.peers[i]);
        if (i < view.replication.replica.size()) add_sync(peer, view.replication.replica[i]);
        facts.peers.push_back(std::move(peer));
    }
}

void gather_vips(MetricFacts& facts, const Daemon& daemon) {
    control::Vips vips = make_vips(daemon);
    facts.vips_restored = daemon.vips().restored();
    std::uint64_t announced = 0;
    for (const auto& vip : vips.vips()) {
        VipMetrics metrics{vip.address(), vip.held()};
        if (vips.in_cluster()) metrics.survives = !vip.next().empty() && vip.next_ready();
        facts.vips.push_back(std::move(metrics));
        facts.vips_restored += vip.restored();
        announced += vip.announced();
    }
    if (!vips.in_cluster()) return;
    facts.vips_announced = announced;
    facts.vips_taken = daemon.cluster()->vips().taken;
}

void gather_node(MetricFacts& facts, const Daemon& daemon) {
    const auto attachments = daemon.dataplane().attachments();
    for (const auto& name : daemon.state().config().node.interfaces) {
        const auto found =
            std::find_if(attachments.begin(), attachments.end(),
                         [&](const auto& each) { return each.interface == name && each.alive; });
        const bool native = found != attachments.end() && found->mode == model::XdpMode::native;
        facts.interfaces.push_back(
            {name, found == attachments.end() ? "none" : (native ? "native" : "generic")});
    }
    facts.version = version;
    facts.config_hash = daemon.loaded().hash;
    facts.last_reload_successful =
        !daemon.last_reload() || daemon.last_reload()->outcome == ReloadReport::Outcome::applied;
    facts.programs_restored = daemon.program_pace().restored();
    facts.netlink_overruns = daemon.neighbours().counters().overruns + daemon.links().overruns();
    facts.hook = {daemon.hook().runs(), daemon.hook().failures(), daemon.hook().dropped()};
}

}  // namespace

MetricFacts gather_metric_facts(const Daemon& daemon) {
    MetricFacts facts;
    Gathering gathering(daemon);
    for (const auto& service : daemon.state().config().services)
        facts.services.push_back(gathering.service(service));
    facts.drops = daemon.dataplane().drops();
    facts.events = daemon.dataplane().events();
    facts.sessions = daemon.sessions();
    const auto& table = daemon.dataplane().sessions();
    facts.capacity = {table.capacity_v4(), table.capacity_v6()};
    gather_node(facts, daemon);
    gather_vips(facts, daemon);
    gather_cluster(facts, daemon);
    return facts;
}

}  // namespace bascule::node
