// SPDX-License-Identifier: Apache-2.0
// What is remembered of the cluster's VIPs from report to report: since when something is as it
// is, and which events that makes. Pure: time is an argument. Thread: control.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "node/peer_watch.h"
#include "node/vip_holder.h"
#include "sync/heartbeat_port.h"

namespace bascule::node {

struct VipNotes {
    Since nobody;   // none is heard to have it
    Since two;      // two nodes have it
    Since no_next;  // nobody would take it without a client's noticing
    Since waits;    // this node would take it, and waits
    Since held;     // by this node
    bool two_told = false;
};

// Somebody else's frames that claim a VIP which this node has.
struct RivalNotes {
    sync::Moment since{};  // when it was noticed
    bool stays = false;    // it is none that comes with a takeover
    Since told;            // by an event
};

class VipWatch {
public:
    using Told = PeerWatch::Told;

    // Of those that stay what is known is kept.
    void set_vips(const std::vector<Address>& vips);

    std::vector<Told> on_heartbeats(const sync::HeartbeatReport& report, sync::Moment now);
    // Rivals of VIPs that this node has. Around a takeover both announce it: who had it may be
    // heard for a second, and who takes it is heard moments before this node lets go.
    std::vector<Told> on_holder(const VipHolderReport& report, sync::Moment now);

    const std::map<Address, VipNotes>& vips() const { return vips_; }
    bool is_rival(const VipRival& rival) const;

private:
    void follow(const sync::VipView& view, VipNotes& notes, const Address& vip, sync::Moment now,
                std::vector<Told>& told);

    std::map<sync::VipId, Address> addresses_;
    std::map<Address, VipNotes> vips_;
    std::map<std::pair<Address, Mac>, RivalNotes> rivals_;
};

// "lb1 and lb2"
std::string in_words(const std::vector<std::string>& names);

}  // namespace bascule::node
