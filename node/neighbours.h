// SPDX-License-Identifier: Apache-2.0
// The ways to backends: by which interface, to what MAC address, kept fresh. Thread: control.
//
// A target is an address; its route says whose MAC address its frames go to, its own or that of a
// gateway, which many targets may share. The kernel resolves; this class asks it to (NTF_USE),
// because XDP's traffic does not pass the neighbour table: an entry that nobody uses would grow
// stale and never be checked again. All state comes from the kernel's messages, so a MAC that it
// changed on its own (gratuitous ARP) is seen as soon.
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
#include "node/exits.h"
#include "node/neighbour_state.h"
#include "node/netlink.h"
#include "node/routes.h"

namespace bascule::node {

struct NeighbourTiming {
    std::chrono::milliseconds refresh{5000};   // between two asks for what is resolved
    std::chrono::milliseconds retry{1000};     // the same, for what is not
    std::chrono::milliseconds reroute{60000};  // between two looks at a route that nothing changed
    std::chrono::milliseconds tick{50};        // between two batches of work
    std::size_t batch = 200;                   // asks and look-ups in one tick
    std::chrono::milliseconds settle{200};     // after a change of routes or links
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

    // Whose MAC address it is about, and on which interface: a neighbour entry of the kernel.
    struct Neighbour {
        std::uint32_t ifindex = 0;
        Address address;

        auto operator<=>(const Neighbour&) const = default;
    };
    struct Target {
        bool route_known = false;
        Way way;
        Exit exit;              // meaningful when `way` has an interface
        Clock::time_point due;  // its next look at the route; its place in queue_
        std::optional<NeighbourState> reported;

        // Nullopt: no neighbour can help it.
        std::optional<Neighbour> neighbour(const Address& address) const;
    };
    // The kernel's entry; no state (NUD_NONE): there is none yet.
    struct Entry {
        std::uint16_t state = 0;
        std::optional<Mac> mac;
        std::string refused;        // why the kernel would not resolve it
        std::set<Address> targets;  // that it serves, never none

        Clock::time_point last_ask;
        Clock::time_point next_ask;  // its place in queue_
    };
    // Work and when it is due: the look at a target's route (interface 0), or the ask for an entry.
    using Job = std::pair<Clock::time_point, Neighbour>;

    NeighbourWatch(boost::asio::io_context& io, NetlinkRequests requests, OnChange on_change,
                   NeighbourTiming timing);
    Result<void> subscribe();

    void on_neighbour(const nlmsghdr& header);
    void take_entry(const nlmsghdr& header);
    static bool probed(const Entry& entry);
    void reread_neighbours();
    void routes_changed();
    void recheck_routes();

    void tick();
    void look_at(const Address& address);
    void serve(const Address& address, const std::optional<Neighbour>& before,
               const std::optional<Neighbour>& now);
    const Exit& exit_by(std::uint32_t ifindex);
    void read_entry(const Neighbour& neighbour);
    void look_after(const Neighbour& neighbour);
    void ask(const Neighbour& neighbour, Entry& entry);

    void look_by(const Address& address, Target& target, Clock::time_point when);
    void ask_at(const Neighbour& neighbour, Entry& entry, Clock::time_point when);
    void ask_by(const Neighbour& neighbour, Entry& entry, Clock::time_point when);
    void arm();
    void review(const Address& address);
    void review_all(const Entry& entry);
    void flush();
    std::optional<NeighbourState> judge(const Address& address, const Target& target) const;

    boost::asio::io_context& io_;
    NetlinkRequests requests_;
    OnChange on_change_;
    NeighbourTiming timing_;
    NeighbourCounters counters_;
    std::map<Address, Target> targets_;
    std::map<Neighbour, Entry> entries_;
    std::map<std::uint32_t, Exit> exits_;  // by a route's interface, until a link or route changes
    std::set<Job> queue_;                  // one for each target and each entry
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
