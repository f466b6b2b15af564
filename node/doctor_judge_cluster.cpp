// SPDX-License-Identifier: Apache-2.0
// The cluster: peers, paths, witnesses. Pure; any thread.
#include <fmt/format.h>

#include <chrono>

#include "node/doctor_looks.h"

namespace bascule::node {

namespace {

using namespace std::chrono_literals;

constexpr auto most_skew = 1s;

// Of "10.9.0.12:7400" or "[fd00::12]:7400" the address.
std::string host_of(const std::string& endpoint) {
    const std::string host = endpoint.substr(0, endpoint.rfind(':'));
    return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

bool is_here(const ClusterLook& look, const std::string& address) {
    for (const auto& [own, here] : look.own)
        if (own == address) return here;
    return true;
}

void judge_own(const ClusterLook& look, Examination& examination) {
    if (!look.own_known) {
        examination.fail("own-address-missing", look.own_known.error().text());
    } else {
        examination.look("own-address-missing");
        for (const auto& [address, here] : look.own)
            if (!here)
                examination.found("own-address-missing",
                                  fmt::format("{} is on no interface of this host", address));
    }
    if (look.paths > 1)
        examination.spare("witness-none", "several paths");
    else if (examination.look("witness-none"); look.witnesses == 0)
        examination.found("witness-none", "one path to the peers, and no witness");
    if (look.witnesses == 0) examination.spare("witness-silent", "no witness is configured");
}

void judge_paths(const PeerLook& peer, Examination& examination) {
    for (const PathLook& path : peer.paths) {
        if (path.down)
            examination.found("path-down",
                              fmt::format("nothing is heard of {} by {}", peer.name, path.address),
                              {{"address", host_of(path.address)}});
        else if (path.one_way)
            examination.found("path-one-way", fmt::format("{} does not hear this node by {}",
                                                          peer.name, path.address));
    }
}

void judge_peer(const PeerLook& peer, Examination& examination) {
    if (peer.incompatible)
        examination.found("peer-incompatible",
                          fmt::format("{} runs a release that needs a newer one here", peer.name));
    if (peer.silent)
        return examination.found(
            "peer-silent", fmt::format("nothing is heard of {} on any path", peer.name),
            {{"address", peer.paths.empty() ? "" : host_of(peer.paths[0].address)}});
    judge_paths(peer, examination);
    if (peer.other_config)
        examination.found("peer-config", peer.name + " runs another configuration");
    if (peer.other_ring) examination.found("peer-ring", peer.name + " chooses other backends");
    if (!peer.behind.empty())
        examination.found("sessions-behind",
                          fmt::format("not in step with {}: {}", peer.name, peer.behind));
    if (!peer.skew || std::chrono::abs(*peer.skew) <= most_skew) return;
    examination.found(
        "clock-skew",
        fmt::format("the clock of {} is {:.1f} s {} this one's", peer.name,
                    std::chrono::duration<double>(std::chrono::abs(*peer.skew)).count(),
                    peer.skew->count() > 0 ? "ahead of" : "behind"));
}

void judge_witnesses(const ClusterLook& look, Examination& examination) {
    if (look.witnesses == 0) return;
    examination.look("witness-silent");
    // One that answers is enough.
    if (look.silent_witnesses.size() < look.witnesses) return;
    for (const auto& [address, why] : look.silent_witnesses)
        examination.found(
            "witness-silent",
            fmt::format("{} does not answer{}{}", address, why.empty() ? "" : ": ", why),
            {{"address", address}});
}

}  // namespace

void judge_cluster(const ClusterLook& look, Examination& examination) {
    if (!look.configured) return examination.spare_group("The cluster", "no [cluster]");
    judge_own(look, examination);
    if (!look.known) return;  // the caller says so of all the rest
    for (const char* code :
         {"path-closed", "wire-closed", "peer-silent", "peer-incompatible", "path-down",
          "path-one-way", "heartbeats-refused", "peer-config", "peer-ring", "sessions-behind",
          "clock-skew", "heartbeat-priority", "state-problem"})
        examination.look(code);
    for (const auto& [address, why] : look.closed)
        if (is_here(look, address))  // else that is said already
            examination.found("path-closed", fmt::format("{}: {}", address, why));
    if (!look.wire_problem.empty()) examination.found("wire-closed", look.wire_problem);
    for (const auto& [address, why] : look.refused)
        examination.found("heartbeats-refused",
                          fmt::format("heartbeats from a peer's address at {}: {}", address, why));
    for (const PeerLook& peer : look.peers)
        judge_peer(peer, examination);
    judge_witnesses(look, examination);
    if (!look.priority.starts_with("SCHED_FIFO"))
        examination.found("heartbeat-priority", look.priority);
    for (const std::string& problem : look.state_problems)
        examination.found("state-problem", problem, {{"directory", look.state_dir}});
}

}  // namespace bascule::node
