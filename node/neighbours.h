// SPDX-License-Identifier: Apache-2.0
// Next hops of backends: what MAC address, out of which interface, kept fresh. Thread: control.
//
// The kernel resolves; this class asks it to (NTF_USE), because XDP's traffic does not pass the
// neighbour table: an entry that nobody uses would grow stale and never be checked again. All
// state comes from the kernel's messages, so a MAC that it changed on its own (gratuitous ARP) is
// seen as soon.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "model/tables.h"
#include "node/netlink.h"

namespace bascule::node {

struct NeighbourState {
    Address address;
    std::optional<model::NextHop> next_hop;
    std::string reason;  // why there is none; empty when there is one

    bool operator==(const NeighbourState&) const = default;
};

struct NeighbourTiming {
    std::chrono::milliseconds refresh{5000};  // between two asks for a resolved target
    std::chrono::milliseconds retry{1000};    // the same, for one that is not
    std::chrono::milliseconds tick{50};       // between two batches of work
    std::size_t batch = 200;                  // targets looked at in one tick
    std::chrono::milliseconds settle{200};    // after a change of routes or links
};

struct NeighbourCounters {
    std::uint64_t asks = 0;
    std::uint64_t route_lookups = 0;
    std::uint64_t overruns = 0;  // events lost by the kernel, each answered by a new dump
    std::uint64_t failures = 0;  // requests that the kernel refused
};

class NeighbourWatch {
public:
    // Every change since the last call, one entry a target. The first report of a target comes when
    // it is resolved, or known not to be. Called from the io_context, never from inside a member
    // function. It may call any member.
    using OnChange = std::function<void(const std::vector<NeighbourState>&)>;

    static Result<std::unique_ptr<NeighbourWatch>> open(boost::asio::io_context& io,
                                                        OnChange on_change,
                                                        NeighbourTiming timing = {});
    ~NeighbourWatch();

    // The targets from now on. Those that stay keep their state and are not reported again; of
    // those that go nothing more is heard.
    void set_targets(const std::vector<Address>& targets);

    // As last reported; nullopt: not a target, or not known yet.
    std::optional<NeighbourState> get(const Address& target) const;

    const NeighbourCounters& counters() const { return counters_; }

private:
    using Clock = std::chrono::steady_clock;

    struct Target {
        bool route_known = false;
        std::uint32_t ifindex = 0;  // 0: it cannot be a next hop, for the reason in `off_link`
        std::string off_link;

        // The kernel's entry; no state (NUD_NONE): there is none yet.
        std::uint16_t state = 0;
        std::optional<Mac> mac;
        std::string refused;  // why the kernel would not resolve it

        Clock::time_point last_ask;
        Clock::time_point next_ask;
        Clock::time_point due;  // its place in queue_
        std::optional<NeighbourState> reported;
    };
    using Targets = std::map<Address, Target>;

    NeighbourWatch(boost::asio::io_context& io, NetlinkRequests requests, OnChange on_change,
                   NeighbourTiming timing);
    Result<void> subscribe();

    void on_neighbour(const nlmsghdr& header);
    void take_entry(const nlmsghdr& header);
    static bool probed(const Target& target);
    void reread_neighbours();
    void routes_changed();
    void recheck_routes();

    void tick();
    void look_at(Targets::value_type& entry);
    void look_up_route(const Address& address, Target& target);
    void read_entry(const Address& address, Target& target);
    void ask(const Address& address, Target& target);

    void move_due(const Address& address, Target& target, Clock::time_point due);
    void ask_by(const Address& address, Target& target, Clock::time_point when);
    void arm();
    void review(const Address& address, Target& target);
    void flush();
    std::optional<NeighbourState> judge(const Address& address, const Target& target) const;

    boost::asio::io_context& io_;
    NetlinkRequests requests_;
    OnChange on_change_;
    NeighbourTiming timing_;
    NeighbourCounters counters_;
    Targets targets_;
    std::set<std::pair<Clock::time_point, Address>> queue_;  // each target, by when it is due
    Clock::time_point last_tick_;
    boost::asio::steady_timer tick_timer_;
    boost::asio::steady_timer settle_timer_;
    bool settling_ = false;
    std::set<Address> changed_;                                   // to be reported by flush()
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for handlers under way
    // Apart, so that a flood of routes does not cost events of neighbours.
    std::unique_ptr<NetlinkEvents> neighbour_events_;
    std::unique_ptr<NetlinkEvents> route_events_;
};

}  // namespace bascule::node
