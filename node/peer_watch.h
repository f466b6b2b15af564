// SPDX-License-Identifier: Apache-2.0
// What is remembered of peers from report to report: since when something is as it is, and which
// events that makes. Pure: time is an argument. Thread: control.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "node/event_log.h"
#include "node/replication.h"
#include "sync/heartbeat_port.h"

namespace bascule::node {

// Since when a condition holds; none: it does not.
using Since = std::optional<sync::Moment>;

struct PathNotes {
    Since silent;     // nothing is heard by it
    Since unheard;    // the peer does not hear us by it
    bool up = false;  // as last told by an event
};

struct PeerNotes {
    Since behind;  // alive, and sessions are not in step with it
    Since dead;    // or never heard
    Since other_config;
    Since other_ring;
    Since other_shared;
    bool synced = false;
    bool incompatible = false;
    std::vector<PathNotes> paths;
    std::uint64_t refused = 0;  // streams
    Since refusal_told;
    sync::Incarnation incarnation = 0;  // 0: not heard yet
    bool by_wire = false;               // as in the last report
};

// Heartbeats that came from peers' addresses and could not be opened, by reason.
struct UnopenedNotes {
    struct Reason {
        std::uint64_t count = 0;
        Since grew;  // when last
        Since told;  // by an event
    };
    std::array<Reason, sync::unopened_reasons> reasons;
};

// Alive, or suspected no more than that.
bool lives(const sync::PeerView& peer);
// Whether this node may say that it has all sessions: it is in step with every peer that lives.
// Where none does it is alone, once it has `listened` for long enough to have heard of them.
bool is_in_step(const sync::HeartbeatReport& heartbeats, const ReplicationView& replication,
                bool listened);

class PeerWatch {
public:
    struct Told {
        Event::Kind kind;
        std::string subject;
        std::string text;
    };

    // `peers` and their addresses, in the order of the reports.
    PeerWatch(std::vector<model::ClusterNodeConfig> peers, std::size_t own_paths);

    // A report of the heartbeats; `own` is what this node says of itself.
    std::vector<Told> on_heartbeats(const sync::HeartbeatReport& report, const sync::NodeFacts& own,
                                    sync::Moment now);
    std::vector<Told> on_replication(const ReplicationView& view,
                                     const sync::HeartbeatReport& heartbeats, sync::Moment now);
    // Whether heartbeats have not named this incarnation before. (That they still name it says
    // nothing of a stream: streams may know a newer one sooner.)
    bool is_new(std::size_t peer, sync::Incarnation incarnation);
    // Whether this report is the first one after which the link of a VIP alone joins them: no path
    // that could carry sessions has, for as long as it takes to find a peer dead.
    bool has_left_paths(std::size_t peer, const sync::PeerView& view);
    // None: nothing that is worth an event.
    std::optional<Told> on_change(const sync::MembershipChange& change) const;

    const std::vector<PeerNotes>& peers() const { return peers_; }
    const std::vector<UnopenedNotes>& unopened() const { return unopened_; }

private:
    void follow_paths(std::size_t peer, const sync::PeerView& view, sync::Moment now,
                      std::vector<Told>& told);
    void follow_unopened(std::size_t path, const sync::PathState& state, sync::Moment now,
                         std::vector<Told>& told);

    std::vector<model::ClusterNodeConfig> nodes_;
    std::vector<PeerNotes> peers_;
    std::vector<UnopenedNotes> unopened_;  // by own path
};

}  // namespace bascule::node
