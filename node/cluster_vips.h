// SPDX-License-Identifier: Apache-2.0
// The VIPs of a cluster, as far as one node is concerned: joins who decides (sync::Takeover, on the
// heartbeat thread), who carries out (VipHolder, a thread of its own), what is found on the wire
// (dataplane::VipGuard) and who bears witness (Witness). One arrow a line:
//   duties     heartbeat thread -> VipHolder
//   deadlines  heartbeat thread -> VipGuard
//   holdings   VipHolder        -> heartbeat thread
//   reports    both             -> events, status, State
//
// Thread: control, but for what it says of others.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "dataplane/vip_guard.h"
#include "model/config.h"
#include "node/epoch_file.h"
#include "node/vip_holder.h"
#include "node/vip_watch.h"
#include "node/witness.h"
#include "sync/heartbeat_port.h"

namespace bascule::node {

// As last reported.
struct ClusterVipsView {
    std::vector<model::VipConfig> vips;
    VipHolderReport holder;
    std::vector<WitnessState> witnesses;
    bool witness = true;  // one answers, or none is asked for
    // None does, and for so long that peers would have found the same: it is not the witness that
    // is away, for a peer that still sees it.
    bool cut_off = false;
    std::map<Address, VipNotes> notes;
    std::vector<VipRival> rivals;  // those that are worth a word
    std::string epoch_problem;     // why epochs cannot be kept on disk; empty: they are
    bool deadlines_fail = false;   // XDP cannot be told of them
    std::uint64_t taken = 0;       // times that this node took a VIP
};

class ClusterVips {
public:
    struct Callbacks {
        // This host has the address, or has it no more.
        std::function<void(const Address& vip, bool here)> on_here;
        // The witnesses have another word.
        std::function<void()> on_witness;
        std::function<void(std::vector<VipWatch::Told>)> on_told;
        // With each report: the VIPs of this node that a live peer would take. May be empty.
        std::function<void(const std::set<Address>&)> on_takers{};
    };
    // `config` has a cluster; `epochs` outlives it; `listen`: see sync::TakeoverOptions. `kept`:
    // what this node has had by itself until now is found on the wire until something is decided;
    // of all else that stands which an earlier run has left. Throws std::exception when the host
    // has no descriptors left.
    ClusterVips(boost::asio::io_context& control, const model::Config& config,
                dataplane::VipGuard guard, EpochFile& epochs, sync::Nanoseconds listen,
                const std::vector<Address>& kept, Callbacks callbacks);
    // After the port has gone.
    ~ClusterVips();

    // Of the port that is made with it: its options, and what it calls.
    sync::TakeoverOptions options(const model::Config& config) const;
    void set_callbacks(sync::HeartbeatPort::Callbacks& callbacks);
    // The port, once it is there; nullptr: it is about to go.
    void set_port(sync::HeartbeatPort* port);

    // Before the tables change: lets go of what the next configuration does not have.
    void release_others(const model::Config& next);
    // After them.
    void set_config(const model::Config& config);
    // Its MAC address or its link has changed, or it was made anew.
    void look_at(const std::string& interface);

    void on_heartbeats(const sync::HeartbeatReport& report);
    const ClusterVipsView& view() const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace bascule::node
