// SPDX-License-Identifier: Apache-2.0
// The heartbeat thread: UDP sockets, one a path, around HeartbeatSealer, HeartbeatOpener and
// Membership. Nothing else runs on it; real-time priority where the kernel lets it (SCHED_FIFO),
// else it runs without and says so.
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
#include <string>
#include <vector>

#include "model/config.h"
#include "sync/cluster_key.h"
#include "sync/membership.h"
#include "sync/seal.h"

namespace bascule::sync {

struct HeartbeatPortOptions {
    model::ClusterConfig cluster;
    std::string self;
    Incarnation incarnation = 0;
    std::string release;
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

struct HeartbeatReport {
    std::vector<PeerView> peers;  // in order of the configuration's nodes, without this one
    std::vector<PathState> paths;
    std::uint64_t slept = 0;  // times that this thread came much too late
    Nanoseconds slept_longest{0};
    std::uint64_t changes_lost = 0;  // the control thread was away too long; never a peer's newest
    std::string priority;            // "SCHED_FIFO 20", or why not
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
    };
    HeartbeatPort(boost::asio::io_context& control, HeartbeatPortOptions options,
                  const ClusterKeys& keys, Callbacks callbacks);
    ~HeartbeatPort();  // waits for the thread

    // Any thread; these reach the heartbeat thread as messages.
    void set_facts(const NodeFacts& facts);
    void set_keys(const ClusterKeys& keys);
    void stream_answered(std::size_t peer);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bascule::sync
