// SPDX-License-Identifier: Apache-2.0
#include "node/peer_findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string_view>

namespace bascule::node {

namespace {

using namespace std::chrono_literals;
using Level = Finding::Level;

constexpr auto start_patience = 3s;  // a peer that starts beside us is heard by then
constexpr auto path_patience = 1s;
constexpr auto step_patience = 3s;    // sessions, configuration, rings
constexpr auto refusal_memory = 10s;  // that datagrams are refused is told for so long
constexpr auto most_skew = 1s;

class Finder {
public:
    explicit Finder(const ClusterFacts& facts) : facts_(facts), view_(*facts.view) {}

    std::vector<Finding> find() {
        find_own_paths();
        for (std::size_t i = 0;
             i < facts_.peers.size() && i < view_.notes.size() && i < view_.heartbeats.peers.size();
             ++i)
            find_peer(i);
        find_refused();
        for (const auto& problem : view_.replication.streams.problems)
            add(Level::problem, problem);
        return std::move(found_);
    }

private:
    void add(Level level, std::string what, std::string mend = {}) {
        found_.push_back({level, std::move(what), std::move(mend)});
    }
    bool lasts(const Since& since, std::chrono::nanoseconds time) const {
        return since && facts_.now - *since >= time;
    }

    void find_own_paths() {
        for (const auto& path : view_.heartbeats.paths)
            if (!path.problem.empty())
                add(Level::problem,
                    fmt::format("heartbeats at {}: {}", path.own.to_string(), path.problem),
                    "`ip address`, and this node's addresses in [[cluster.node]]");
        // Needed when every path is cut, and not before.
        if (const std::string& problem = view_.heartbeats.wire.problem; !problem.empty())
            add(Level::notice,
                fmt::format("peers that no path reaches cannot be asked on the links of VIPs: {}",
                            problem),
                "basculed needs CAP_NET_RAW and AF_PACKET: `systemctl cat basculed`");
    }

    void find_peer(std::size_t i) {
        const PeerNotes& notes = view_.notes[i];
        if (notes.incompatible)
            add(Level::problem,
                fmt::format("peer {} runs a release that needs a newer one here", name(i)),
                "upgrade this node");
        if (notes.dead) return find_dead(i);
        for (std::size_t path = 0; path < notes.paths.size(); ++path)
            find_path(i, path);
        find_wire(i);
        find_step(i);
        find_hashes(i);
        find_skew(i);
    }

    void find_dead(std::size_t i) {
        const sync::PeerView& heard = view_.heartbeats.peers[i];
        if (heard.liveness != sync::Liveness::unknown)
            return add(Level::problem,
                       fmt::format("peer {} is dead: nothing is heard of it on any path", name(i)),
                       "bascule show peers");
        if (facts_.now - view_.began < start_patience) return;
        add(Level::problem,
            fmt::format("peer {} has not been heard of since this daemon joined the cluster",
                        name(i)),
            "is basculed running there, with this cluster and this key?");
    }

    void find_path(std::size_t i, std::size_t path) {
        const PathNotes& notes = view_.notes[i].paths[path];
        const std::string address = facts_.peers[i].addresses[path].to_string();
        if (lasts(notes.silent, path_patience))
            add(Level::problem,
                fmt::format("path to {} by {} is down: nothing is heard by it", name(i), address),
                is_refused_at(path) ? "what comes by this path is refused: see there"
                                    : "cable, interface, or a filter for UDP");
        else if (lasts(notes.unheard, path_patience))
            add(Level::problem,
                fmt::format("path to {} by {} is one-way: it is heard, and does not hear this node",
                            name(i), address),
                "a filter for UDP on the way there, or it refuses what comes: `bascule status` "
                "there");
    }

    void find_wire(std::size_t i) {
        const auto& paths = view_.notes[i].paths;
        if (!view_.heartbeats.peers[i].by_wire ||
            !std::all_of(paths.begin(), paths.end(),
                         [this](const auto& path) { return lasts(path.silent, path_patience); }))
            return;
        add(Level::problem,
            fmt::format(
                "peer {} is heard on the link of a VIP alone: if that fails too, both nodes "
                "take the VIPs, and no sessions are replicated now",
                name(i)),
            "mend the paths between the nodes");
    }

    void find_step(std::size_t i) {
        if (!lasts(view_.notes[i].behind, step_patience)) return;
        std::string why;
        if (i < view_.replication.replica.size()) why = view_.replication.replica[i].behind;
        if (i < view_.replication.streams.peers.size()) {
            const sync::StreamView& stream = view_.replication.streams.peers[i];
            if (!stream.connected && !stream.problem.empty()) why = stream.problem;
        }
        add(Level::problem,
            fmt::format("sessions are not in step with {}{}{}", name(i), why.empty() ? "" : ": ",
                        why),
            "bascule show peers");
    }

    void find_hashes(std::size_t i) {
        const PeerNotes& notes = view_.notes[i];
        if (lasts(notes.other_config, step_patience))
            add(Level::problem, fmt::format("peer {} runs another configuration", name(i)),
                "copy the file to both, then `bascule reload`");
        if (lasts(notes.other_ring, step_patience))
            add(Level::problem,
                fmt::format("peer {} chooses other backends for new flows", name(i)),
                "compare `bascule show backends` on both");
    }

    void find_skew(std::size_t i) {
        const auto& skew = view_.heartbeats.peers[i].wall_skew;
        if (!skew || std::chrono::abs(*skew) <= most_skew) return;
        const double seconds = std::chrono::duration<double>(std::chrono::abs(*skew)).count();
        add(Level::notice,
            fmt::format("the clock of {} is {:.1f} s {} this one's", name(i), seconds,
                        skew->count() > 0 ? "ahead of" : "behind"),
            "timedatectl set-ntp true");
    }

    // From an address of a peer, and not of our kind. While all peers are heard it may as well be
    // somebody who makes believe.
    void find_refused() {
        bool all_heard = true;
        for (const auto& notes : view_.notes)
            all_heard = all_heard && !notes.dead;
        for (std::size_t path = 0; path < view_.unopened.size(); ++path) {
            const auto& reasons = view_.unopened[path].reasons;
            for (std::size_t i = 1; i < reasons.size(); ++i) {
                const auto why = static_cast<sync::Unopened>(i);
                if (!is_told(why, reasons[i].grew)) continue;
                add(all_heard ? Level::notice : Level::problem,
                    fmt::format("heartbeats from a peer's address at {} are refused: {}",
                                view_.heartbeats.paths.at(path).own.to_string(), meaning_of(why)),
                    mend_of(why));
            }
        }
    }

    bool is_told(sync::Unopened why, const Since& grew) const {
        if (why == sync::Unopened::too_short || why == sync::Unopened::not_for_us) return false;
        return grew && facts_.now - *grew <= refusal_memory;
    }

    bool is_refused_at(std::size_t path) const {
        if (path >= view_.unopened.size()) return false;
        const auto& reasons = view_.unopened[path].reasons;
        for (std::size_t i = 1; i < reasons.size(); ++i)
            if (is_told(static_cast<sync::Unopened>(i), reasons[i].grew)) return true;
        return false;
    }

    std::string mend_of(sync::Unopened why) const {
        if (why == sync::Unopened::unknown_key || why == sync::Unopened::not_authentic)
            return fmt::format("the same {} on all nodes, then `bascule reload`", facts_.key_file);
        if (why == sync::Unopened::other_cluster)
            return "the same [cluster] name on all nodes, then `bascule reload`";
        if (why == sync::Unopened::unknown_sender)
            return "the same [[cluster.node]] on all nodes, then `bascule reload`";
        return {};
    }

    const std::string& name(std::size_t i) const { return facts_.peers[i].name; }

    const ClusterFacts& facts_;
    const ClusterView& view_;
    std::vector<Finding> found_;
};

}  // namespace

std::vector<Finding> peer_findings(const ClusterFacts& facts) {
    std::vector<Finding> found;
    if (facts.view != nullptr) found = Finder(facts).find();
    if (!facts.cluster_problem.empty())
        found.push_back(
            {Level::problem, facts.cluster_problem, "mend the cause, then `bascule reload`"});
    if (!facts.shared_problem.empty()) found.push_back({Level::problem, facts.shared_problem, {}});
    return found;
}

}  // namespace bascule::node
