// SPDX-License-Identifier: Apache-2.0
// What runs on the heartbeat thread: sockets, seals, Membership and Takeover in one loop. It waits
// in one place, for datagrams, mail and the next tick together. It does not log, and takes no lock
// that another thread of ours takes, but for that of Asio's queue when a peer's stream is asked.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sync/heartbeat_mail.h"
#include "sync/heartbeat_port.h"
#include "sync/heartbeat_socket.h"
#include "sync/heartbeat_vips.h"
#include "sync/heartbeat_wire.h"
#include "sync/membership.h"

namespace bascule::sync {

// Names of the nodes but `self`, in their order.
std::vector<std::string> peers_of(const model::ClusterConfig& cluster, const std::string& self);
// With what has to be the same as in Membership. std::invalid_argument: they make no heartbeat that
// others would understand; found here, for nobody could catch it on the heartbeat thread.
TakeoverOptions takeover_options(const HeartbeatPortOptions& options, TakeoverOptions takeover);

class HeartbeatThread {
public:
    // std::logic_error: `self` is none of the nodes, or they have different numbers of addresses.
    HeartbeatThread(const HeartbeatPortOptions& options, std::unique_ptr<Seals> seals,
                    const HeartbeatPort::Callbacks& callbacks, HeartbeatInbox& inbox,
                    HeartbeatOutbox& outbox);

    // Until inbox.stop.
    void run();

private:
    void wait();
    void read_mail();
    void read_path(std::size_t path);
    void read_wire();
    void ask_on_wire(const std::vector<WirePlace>& places, Moment now);
    void on_datagram(std::size_t path, std::size_t peer, std::span<const std::uint8_t> datagram);
    void on_frame(const WirePlace& from, std::span<const std::uint8_t> frame);
    void tick(Moment now);
    void set_due();
    void look(Nanoseconds slept, Moment now);
    void carry_out(MembershipOutput output, Moment now);
    void put_words(Moment now);
    bool send(const HeartbeatToSend& heartbeat);
    bool send_by_wire(std::size_t peer, std::span<const std::uint8_t> datagram);
    void report(Moment now);

    const Nanoseconds interval_;
    Membership membership_;
    HeartbeatVips vips_;
    std::unique_ptr<Seals> seals_;
    std::vector<HeartbeatSocket> paths_;
    HeartbeatWire wire_;
    std::vector<WirePlace> wire_places_;    // where each peer was heard by it; ifindex 0: never
    std::vector<WirePlace> wire_suspects_;  // where one may be that is not heard at all
    // Of the paths and the wire: poll said that something is there.
    std::array<bool, model::most_cluster_paths + 1> announced_{};
    std::unique_ptr<DatagramBatch> batch_;
    std::function<void(std::size_t)> probe_stream_;
    HeartbeatInbox& inbox_;
    HeartbeatOutbox& outbox_;

    Moment last_tick_;
    Moment last_refill_;
    Moment due_;  // the next one
    Moment next_look_;
    bool look_ = true;  // something has come or gone that VIPs may hang on
    Moment next_report_;
    std::vector<MembershipChange> changes_;  // not reported yet
    std::uint64_t changes_lost_ = 0;
    std::uint64_t slept_ = 0;
    Nanoseconds slept_longest_{0};
    std::string priority_;
};

}  // namespace bascule::sync
