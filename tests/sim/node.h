// SPDX-License-Identifier: Apache-2.0
// A whole node: the machines of sync/ joined as basculed joins them, its
// session table, its disk and a data plane that sees packets. It can stand
// still, die, and start again with a table that was kept, is empty or is of
// long ago.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "sim/host_clock.h"
#include "sim/node_vips.h"
#include "sim/paths.h"
#include "sim/random.h"
#include "sim/schedule.h"
#include "sim/streams.h"
#include "sim/table.h"
#include "sim/words.h"
#include "sync/membership.h"
#include "sync/replica.h"
#include "sync/shared_exchange.h"

namespace bascule::sim {

// What a node needs of its world.
class Surroundings {
public:
    virtual ~Surroundings() = default;
    virtual void send(std::size_t from, std::size_t to, std::size_t path,
                      const sync::Heartbeat& heartbeat) = 0;
    virtual void on_change(std::size_t node, const sync::MembershipChange& change) = 0;
    virtual void on_stream_answer() = 0;
    virtual void say(const std::string& what) = 0;  // only shown
    virtual bool is_shown() const = 0;
};

// What dies: the daemon, while packets still go through the data plane; the
// daemon, and nothing is attached any more, so that its table grows old; the
// host, which empties it.
enum class Death { daemon, detached, host };

class Node final : public StreamEnd {
public:
    Node(std::size_t index, const Plan& plan, Schedule& schedule, Streams& streams, Truth& truth,
         Random& random, Surroundings& world, VipEvents& vip_events);

    static std::string name(std::size_t index) { return "lb" + std::to_string(index + 1); }
    std::size_t index_of(std::size_t node) const { return node < index_ ? node : node - 1; }
    std::size_t node_of(std::size_t peer) const { return peer < index_ ? peer : peer + 1; }

    // ---- its life ----
    void start(bool disk_kept);
    void crash(Death death);
    void pause(Time span);
    HostClock& clock() { return clock_; }

    // ---- packets ----
    // A packet of an established session; begins one, at the table's target or a
    // new one.
    void packet(std::size_t flow);
    void syn(std::size_t flow);  // embryonic only
    void move(std::size_t flow);
    void close(std::size_t flow);
    // What the data plane has told gets lost on its way to the daemon.
    void lose_deltas();
    void set_known(std::set<sync::TargetId> targets);

    // ---- operator's words ----
    void say_word(const std::string& key, const std::string& value);
    void take_back(const std::string& key);

    // ---- its VIPs ----
    // Of a run that lasts.
    NodeVips& vips() { return *running_->vips; }
    NodeVipsHost& vips_host() { return vips_host_; }
    const NodeVipsHost& vips_host() const { return vips_host_; }
    // Something has changed on this host: its control thread finds out.
    void wake_control();
    // A planned end: hands over, and stops.
    void leave();
    bool is_leaving() const { return running_ && running_->vips->is_leaving(); }

    // ---- from the network ----
    void on_heartbeat(std::size_t from, std::size_t path, const sync::Heartbeat& heartbeat);
    bool is_running() const override { return running_ != nullptr; }
    Time paused_until() const override { return paused_until_; }
    sync::Frame hello_to(std::size_t peer) override;
    void on_frame(std::size_t peer, const std::string& frame) override;
    void on_stream_down(std::size_t peer) override;
    sync::Frame next_frame(std::size_t peer) override;
    sync::Heartbeat words_for(std::size_t peer) override;
    void on_stream_answer(std::size_t peer, const sync::Heartbeat& said, Time asked) override;

    // ---- what is seen ----
    const Table& table() const { return table_; }
    const sync::Membership& membership() const { return running_->membership; }
    const sync::Replica& replica() const { return running_->replica; }
    const sync::SharedMap& words() const { return *map_; }
    sync::Incarnation incarnation() const { return incarnation_; }
    // Another one whenever it dies or starts.
    std::uint64_t run() const { return run_; }
    // Runs without standing still; in the future while it stands still.
    Time awake_since() const { return awake_since_; }
    // Since when nothing is said: it died, or stands still. Nullopt: it speaks.
    std::optional<Time> silent_since() const;
    std::vector<sync::PeerView> peers() const;
    std::vector<sync::ReplicaPeerView> replica_peers() const;
    bool is_in_step() const;  // with every peer that lives, and one does
    bool is_in_step_with(std::size_t node) const;
    // It was in step then, and may have found out since that it is not any more.
    Time in_step_at() const { return in_step_at_; }
    // Its release is a newer one than that of others, which do not understand it.
    bool is_newer() const { return plan_.newer == index_; }
    sync::Moment local() const { return clock_.monotonic(schedule_.now()); }

private:
    struct Running {
        Running(const Node& node, sync::MembershipOptions membership, sync::ReplicaOptions replica,
                Table& table, sync::SharedMap& map);
        sync::Membership membership;
        sync::Replica replica;
        sync::SharedExchange exchange;
        std::unique_ptr<NodeVips> vips;
        std::vector<std::vector<sync::Frame>> to_send;  // of the shared map, by peer
        std::vector<sync::SessionRecord> deltas;        // not read yet
        bool deltas_lost = false;
        std::vector<sync::Heartbeat> words;  // of the last round, for streams
    };

    // Calls `action` when this very run still lasts and does not stand still.
    void later(Time span, Schedule::Action action);
    void resume(std::uint64_t run, const Schedule::Action& action);
    void want_replica_tick(Time span);
    void start_vips();
    void tick_membership();
    void look_soon();
    void look_at_vips(sync::Nanoseconds slept);
    void want_tick();
    void tick_replica();
    void tick_sweep();
    void tick_second();
    void take(const sync::MembershipOutput& out);
    void on_hello(std::size_t peer, const sync::Hello& hello);
    void send_shared(const std::vector<sync::SharedToSend>& messages);
    void apply_word(const sync::SharedItem& item);
    void tell(sync::SessionRecord::Kind kind, std::size_t flow);
    void read_deltas();
    void sweep(std::size_t flow);
    void forget_old_words();
    void keep_words(const sync::SharedMap& old);
    sync::TargetId choose(sync::TargetId other_than);

    const std::size_t index_;
    const Plan& plan_;
    Schedule& schedule_;
    Streams& streams_;
    Truth& truth_;
    Random& random_;
    Surroundings& world_;
    VipEvents& vip_events_;
    HostClock clock_;
    NodeVipsHost vips_host_;
    Table table_;
    std::unique_ptr<sync::SharedMap> map_;
    Words seen_words_;
    std::unique_ptr<Running> running_;
    std::uint64_t run_ = 0;
    sync::Incarnation incarnation_ = 0;
    bool packets_pass_ = true;  // the data plane is attached
    Time paused_until_{0};
    Time awake_since_{0};
    Time fell_silent_{0};
    Time last_tick_{0};
    Time tick_due_{0};
    bool look_due_ = false;
    Time replica_due_{0};
    Time busy_until_{0};  // the replica is looked after more often
    Time in_step_at_{0};
};

}  // namespace bascule::sim
