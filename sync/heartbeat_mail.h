// SPDX-License-Identifier: Apache-2.0
// What the control thread and the heartbeat thread say to each other. All of it is replaced or
// merged when the other one is slow, so it is bounded, and neither waits.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "sync/heartbeat_port.h"
#include "sync/slot.h"

namespace bascule::sync {

// A number of the kernel's that wakes who polls it. Any thread.
class WakeUp {
public:
    WakeUp();  // std::system_error: the process has no descriptor left
    void ring() const;
    void clear() const;
    int fd() const { return fd_.get(); }

private:
    Descriptor fd_;
};

// Both halves of a set of keys; made by who brings them, for that takes time.
struct Seals {
    Seals(const ClusterKeys& keys, const std::string& cluster, const std::string& self,
          const std::vector<std::string>& peers)
        : sealer(keys, cluster, self), opener(keys, cluster, self, peers) {}

    HeartbeatSealer sealer;
    HeartbeatOpener opener;
};

// VIPs that the operator wants moved, by any thread. The same one again is the same order.
class VipOrders {
public:
    // False: most_vips others have not been read yet.
    bool put(VipId vip);
    std::vector<VipId> take();

private:
    static constexpr std::uint64_t given = std::uint64_t{1} << 32;  // a place that is not empty
    std::array<std::atomic<std::uint64_t>, most_vips> places_{};
};

// What a peer has answered by its stream.
struct StreamAnswer {
    std::optional<Heartbeat> said;  // nullopt: an earlier release, which only answers
    Moment asked{};
};

// What this node answers by its streams, to peer i. Beyond `until` nothing.
struct StreamWords {
    Moment until = Moment::max();
    std::vector<std::string> to;
};

// To the heartbeat thread, by any thread.
struct HeartbeatInbox {
    WakeUp wake_up;
    Slot<NodeFacts> facts;
    Slot<Seals> seals;
    Slot<TakeoverOptions> takeover;
    Slot<OwnFitness> fitness;
    Slot<std::vector<VipHolding>> holdings;
    Slot<std::vector<WirePlace>> wire;
    Slot<std::vector<std::string>> wire_links;
    VipOrders moves;
    std::array<Slot<StreamAnswer>, model::most_cluster_nodes> answers;  // of the stream of peer i
    std::atomic<bool> stop{false};
};

// To the control thread. `report` is the newest; `changes` and `report.moves` are all since the
// last that it took.
struct HeartbeatNews {
    std::vector<MembershipChange> changes;
    HeartbeatReport report;
};

struct HeartbeatOutbox {
    WakeUp wake_up;
    Slot<HeartbeatNews> news;
    Slot<HeartbeatNews> read;  // given back: the heartbeat thread frees what it has allocated
    Slot<StreamWords> words;   // to the session thread: HeartbeatPort::words_for()
};

// Appends; beyond `most_changes` one that another one of its peer follows is lost, and counted.
inline constexpr std::size_t most_changes = 256;
void add_change(std::vector<MembershipChange>& changes, MembershipChange change,
                std::uint64_t& lost);
// The same for VIPs.
inline constexpr std::size_t most_moves = 256;
void add_move(std::vector<VipMove>& moves, VipMove move, std::uint64_t& lost);

}  // namespace bascule::sync
