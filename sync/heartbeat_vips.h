// SPDX-License-Identifier: Apache-2.0
// Takeover's place on the heartbeat thread: brings it what Membership knows and what other threads
// have sent, and carries what it wants to those who do it. Neither waits nor sends.
//
// A deadline is a promise: XDP answers for a VIP so long after this node's last sign of life as
// peers wait for the next one. So it counts from the last round of heartbeats that has really left
// this host, not from the clock: when nothing leaves (its interface is gone, its queue is full),
// peers hear nothing (nor is a question by the stream answered: speaks_until()), and one of them
// takes the VIP; until then XDP has to be silent. Where no peer lives nobody takes anything, and
// every round counts. Whose heartbeats go out again after that has been away, to his peers, just as
// if he had slept; so Takeover is told that he has.
//
// Thread: the heartbeat thread's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sync/heartbeat_mail.h"
#include "sync/heartbeat_port.h"
#include "sync/membership.h"
#include "sync/takeover.h"

namespace bascule::sync {

class HeartbeatVips {
public:
    // `peers`: in Membership's order. Of `callbacks` what concerns VIPs.
    HeartbeatVips(const TakeoverOptions& options, std::vector<std::string> peers,
                  const HeartbeatPort::Callbacks& callbacks, Moment now);

    // What others have sent. True: it has to be looked at.
    bool read(HeartbeatInbox& inbox);
    // A round of heartbeats, made at `made`, was handed to the kernel; bit i of `reached`:
    // something of it left for peer i.
    void sent_round(const Membership& membership, std::uint32_t reached, Moment made);
    // Decides anew. Deadlines come first, so that who lets go is not found from here on, and who
    // takes is found as soon as he has the address; then duties. Sets `membership`'s claims, and
    // says whether they are to be spoken of at once. `slept`: this thread, until now.
    bool look(Membership& membership, Nanoseconds slept, Moment now);
    Moment next() const { return takeover_.next(); }
    // What it has promised to its peers is over then, unless another round leaves this host.
    Moment speaks_until() const { return promised_ + interval_ * dead_after_; }

    bool has_news() const { return !moves_.empty(); }
    // Into a report that is new or was not read yet.
    void add_to(HeartbeatReport& report);

private:
    void set_deadlines();

    const std::size_t peer_count_;
    Takeover takeover_;
    std::function<void(std::vector<VipDuty>)> on_duties_;
    std::function<void(std::span<const VipDeadline>)> set_deadlines_;
    std::vector<PeerStanding> standings_;
    Nanoseconds interval_;
    std::uint32_t dead_after_;
    Moment promised_;                 // when the last round was made that has left
    Moment away_since_;               // the same, or when Takeover was told of all that was before
    Nanoseconds silent_{0};           // nothing had left for so long; Takeover does not know
    bool renew_ = true;               // all deadlines, not only those that have changed
    std::vector<VipDeadline> given_;  // deadlines that were set
    std::vector<VipMove> moves_;      // not reported yet
    std::uint64_t moves_lost_ = 0;
};

}  // namespace bascule::sync
