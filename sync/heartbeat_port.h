// SPDX-License-Identifier: Apache-2.0
// The heartbeat thread: UDP sockets, one a path, around HeartbeatSealer, HeartbeatOpener and
// Membership, with Takeover beside it. Nothing else runs on it; real-time priority where the kernel
// lets it (SCHED_FIFO), else it runs without and says so.
//
// A path whose own address is not on this host (an interface that has gone) is closed and tried
// again every second. Thread: made, asked and destroyed by the control thread; what it has to say
// comes through the control thread's io_context, one report at a time, so nothing piles up.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "model/config.h"
#include "sync/cluster_key.h"
#include "sync/membership.h"
#include "sync/seal.h"
#include "sync/takeover.h"

namespace bascule::sync {

struct HeartbeatPortOptions {
    model::ClusterConfig cluster;
    std::string self;
    Incarnation incarnation = 0;
    std::string release;
    // Its `self`, `interval` and `dead_after` are taken from above.
    TakeoverOptions takeover{};
};

struct PathState {
    model::Endpoint own;
    std::string problem;  // empty: open
    std::uint64_t datagrams = 0;
    std::array<std::uint64_t, 16> unopened{};  // by enum Unopened
    // Not even opened: of addresses that no peer has on this path, or beyond what the socket holds.
    std::uint64_t from_strangers = 0;
    std::uint64_t send_errors = 0;
};

// Where somebody is on a link.
struct WirePlace {
    int ifindex = 0;
    Mac mac;

    bool operator==(const WirePlace&) const = default;
};

// So many claimants are asked on the wire, and so long after each was seen.
inline constexpr std::size_t most_wire_places = 16;

// The link of the VIPs as a path (heartbeat_wire.h).
struct WireState {
    std::string problem;  // empty: open
    std::uint64_t received = 0;
    std::array<std::uint64_t, 16> unopened{};  // by enum Unopened
    // Beyond what is read of it, or there since before its link had no VIP any more.
    std::uint64_t dropped = 0;
    std::uint64_t sent = 0;
    std::uint64_t send_errors = 0;
};

struct HeartbeatReport {
    std::vector<PeerView> peers;  // in order of the configuration's nodes, without this one
    std::vector<PathState> paths;
    WireState wire;
    std::vector<WirePlace> wire_places;  // of `peers`, where each was heard by it; ifindex 0: never
    std::uint64_t slept = 0;             // times that this thread came much too late
    Nanoseconds slept_longest{0};
    std::uint64_t changes_lost = 0;  // the control thread was away too long; never a peer's newest
    std::string priority;            // "SCHED_FIFO 20", or why not
    std::vector<VipView> vips;
    std::vector<VipMove> moves;    // since the last report
    std::uint64_t moves_lost = 0;  // the control thread was away too long
    Epoch highest_epoch = 0;
};

class HeartbeatPort {
public:
    struct Callbacks {
        // On the control thread.
        std::function<void(const MembershipChange&)> on_change;
        std::function<void(const HeartbeatReport&)>
            on_report;  // about every 100 ms, and on changes
        // On the heartbeat thread: ask this peer's stream. Must not block.
        std::function<void(std::size_t peer)> probe_stream;
        // What is to be with VIPs now; the whole of it, whenever it changes. These two may be
        // empty, must not block either, and run as soon as there is a thread: before the
        // constructor ends.
        std::function<void(std::vector<VipDuty>)> on_duties{};
        // All of them with every round of heartbeats that has left this host, and at once those
        // that have changed.
        std::function<void(std::span<const VipDeadline>)> set_deadlines{};
    };
    HeartbeatPort(boost::asio::io_context& control, HeartbeatPortOptions options,
                  const ClusterKeys& keys, Callbacks callbacks);
    ~HeartbeatPort();  // waits for the thread

    // Any thread; these reach the heartbeat thread as messages.
    void set_facts(const NodeFacts& facts);
    void set_keys(const ClusterKeys& keys);
    // `heartbeat`: what the answer carried, asked for at that moment; empty: an earlier release's.
    void stream_answered(std::size_t peer, const std::string& heartbeat, Moment asked);
    // Session thread: the heartbeat for this peer that its question by the stream is answered with.
    // Nullopt: none of this node's has left this host for dead_after intervals, though somebody
    // waits for them, or the heartbeat thread hangs. Who is silent must not be vouched for by his
    // stream: he is not found by his VIPs any more, so somebody else has to be.
    std::optional<std::string> words_for(std::size_t peer);
    void set_fitness(const OwnFitness& fitness);
    void set_takeover(const TakeoverOptions& options);  // as in HeartbeatPortOptions
    void set_holdings(std::vector<VipHolding> holdings);
    // Who claims VIPs of this node, on their links: peers that do not hear this node are looked for
    // there (Membership::ask_by_wire). At most most_wire_places of them.
    void ask_on_wire(std::vector<WirePlace> places);
    // The interfaces that VIPs are on: peers are heard there alone. None until it is called.
    void set_wire_links(std::vector<std::string> names);
    // The operator's word. At most most_vips that the thread has not read yet; false: too many.
    bool move_vip(VipId vip);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bascule::sync
