// SPDX-License-Identifier: Apache-2.0
// Nodes that hear each other over paths which lose, delay, double and overtake, in simulated time.
// Every node's monotonic clock has an origin of its own. One thread; the same seed, the same run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "sync/membership.h"

namespace bascule::sync::test {

using namespace std::chrono_literals;

// One direction of one path.
struct Way {
    double loss = 0;
    double twice = 0;
    Nanoseconds delay{50'000};
    Nanoseconds jitter{0};  // more than that, evenly
    bool cut = false;
};

struct NetOptions {
    std::size_t nodes = 2;
    std::size_t paths = 1;
    Nanoseconds interval{20'000'000};
    std::uint32_t dead_after = 5;
    std::uint64_t seed = 1;
};

class MembershipNet {
public:
    struct Said {
        Nanoseconds at{0};
        std::size_t node = 0;
        MembershipChange change;
    };

    explicit MembershipNet(NetOptions options) : options_(options), random_(options.seed) {
        for (std::size_t node = 0; node < options_.nodes; ++node) {
            nodes_.emplace_back();
            nodes_[node].origin = Moment(std::chrono::hours(1 + 1000 * node));
            start(node);
        }
        ways_.resize(options_.nodes * options_.nodes * options_.paths);
    }

    // ---- what happens to them ----
    Way& way(std::size_t from, std::size_t to, std::size_t path) {
        return ways_.at((from * options_.nodes + to) * options_.paths + path);
    }
    void every_way(const std::function<void(Way&)>& change) {
        for (Way& each : ways_)
            change(each);
    }
    void start(std::size_t node) {
        MembershipOptions options;
        options.self = name(node);
        options.incarnation = ++incarnations_;
        options.interval = options_.interval;
        options.dead_after = options_.dead_after;
        options.paths = options_.paths;
        options.release = "0.1.0";
        for (std::size_t peer = 0; peer < options_.nodes; ++peer)
            if (peer != node) options.peers.push_back(name(peer));
        nodes_[node].running = std::make_unique<Membership>(options, local(node));
        nodes_[node].waiting.clear();
        nodes_[node].awake_at = Nanoseconds(0);
    }
    void stop(std::size_t node) { nodes_[node].running.reset(); }
    // Nothing runs; what arrives waits in its sockets.
    void pause(std::size_t node, Nanoseconds span) { nodes_[node].awake_at = now_ + span; }
    // A host that is suspended: its clock stands still as well.
    void suspend_clock(std::size_t node, Nanoseconds span) { nodes_[node].origin -= span; }
    // A question takes `delay` there, and its answer as long back.
    void set_streams(bool work, Nanoseconds delay = 100us) {
        streams_ = work;
        stream_delay_ = delay;
    }
    // As if its wall clock were set.
    void step_wall(std::size_t node, std::chrono::milliseconds by) { nodes_[node].wall += by; }

    // ---- time ----
    void run(Nanoseconds span) {
        const Nanoseconds end = now_ + span;
        while (true) {
            Nanoseconds next = end;
            if (!flying_.empty()) next = std::min(next, flying_.begin()->first);
            for (std::size_t node = 0; node < nodes_.size(); ++node)
                next = std::min(next, due(node));
            now_ = std::max(now_, next);
            if (now_ >= end) break;
            step();
        }
    }
    Nanoseconds now() const { return now_; }

    // ---- what is seen ----
    // As `node` sees `peer`.
    PeerView view(std::size_t node, std::size_t peer) const {
        return nodes_[node].running->view(local(node)).at(index(node, peer));
    }
    Liveness liveness(std::size_t node, std::size_t peer) const {
        return nodes_[node].running->liveness(index(node, peer));
    }
    Membership& at(std::size_t node) { return *nodes_[node].running; }
    Moment local(std::size_t node) const { return nodes_[node].origin + now_; }
    // All that `node` says of `peer`, as "unknown>alive alive>suspect".
    std::string story(std::size_t node, std::size_t peer) const {
        std::string text;
        for (const Said& said : said_) {
            if (said.node != node || said.change.peer != index(node, peer)) continue;
            if (!text.empty()) text += " ";
            text += name_of(said.change.from);
            text += said.change.restarted ? "=>" : ">";
            text += name_of(said.change.to);
        }
        return text;
    }
    const std::vector<Said>& said() const { return said_; }
    void forget_said() { said_.clear(); }
    std::uint64_t sent() const { return sent_; }
    Nanoseconds slept_longest() const { return slept_longest_; }

    // Sees every heartbeat that is sent: a recorder.
    std::function<void(std::size_t from, std::size_t to, const HeartbeatToSend&)> on_sent;

    static std::string name(std::size_t node) { return "lb" + std::to_string(node + 1); }
    // Of `peer` among the peers of `node`.
    static std::size_t index(std::size_t node, std::size_t peer) {
        return peer < node ? peer : peer - 1;
    }
    static std::size_t node_of(std::size_t node, std::size_t index) {
        return index < node ? index : index + 1;
    }

private:
    struct Flying {
        std::size_t from, to, path;
        Heartbeat heartbeat;
        bool answer = false;  // of the stream, from `from`
        bool ask = false;
        Nanoseconds asked{0};
    };
    struct Node {
        Moment origin{};
        std::chrono::milliseconds wall{1'700'000'000'000};
        std::unique_ptr<Membership> running;
        Nanoseconds awake_at{0};
        std::vector<Flying> waiting;  // in its sockets
    };

    WallMilliseconds wall(std::size_t node) const {
        const auto ran = std::chrono::duration_cast<std::chrono::milliseconds>(now_);
        return static_cast<WallMilliseconds>((nodes_[node].wall + ran).count());
    }
    Nanoseconds due(std::size_t node) const {
        if (!nodes_[node].running) return Nanoseconds::max();
        const Nanoseconds tick = nodes_[node].running->next_tick() - nodes_[node].origin;
        return std::max(tick, nodes_[node].awake_at);
    }
    bool awake(std::size_t node) const { return now_ >= nodes_[node].awake_at; }

    void step() {
        while (!flying_.empty() && flying_.begin()->first <= now_) {
            const Flying flying = std::move(flying_.begin()->second);
            flying_.erase(flying_.begin());
            if (!nodes_[flying.to].running) continue;
            if (awake(flying.to))
                arrive(flying);
            else
                nodes_[flying.to].waiting.push_back(flying);
        }
        for (std::size_t node = 0; node < nodes_.size(); ++node) {
            if (due(node) > now_) continue;
            for (const Flying& waited : std::exchange(nodes_[node].waiting, {}))
                arrive(waited);
            take(node, nodes_[node].running->on_tick(local(node), wall(node)));
        }
    }
    void arrive(const Flying& flying) {
        Membership& membership = *nodes_[flying.to].running;
        const std::size_t from = index(flying.to, flying.from);
        if (flying.ask)
            post({flying.to, flying.from, 0,
                  membership.for_stream(from, local(flying.to), wall(flying.to)), true, false,
                  flying.asked},
                 stream_delay_);
        else if (flying.answer)
            take(flying.to, membership.on_stream_answer(from, flying.heartbeat,
                                                        nodes_[flying.to].origin + flying.asked,
                                                        local(flying.to), wall(flying.to)));
        else
            take(flying.to, membership.on_heartbeat(from, flying.path, flying.heartbeat,
                                                    local(flying.to), wall(flying.to)));
    }
    void take(std::size_t node, const MembershipOutput& out) {
        slept_longest_ = std::max(slept_longest_, out.slept);
        for (const MembershipChange& change : out.changes)
            said_.push_back({now_, node, change});
        for (const std::size_t peer : out.probe_streams)
            if (streams_)
                post({node, node_of(node, peer), 0, {}, false, true, now_}, stream_delay_);
        for (const HeartbeatToSend& send : out.send) {
            ++sent_;
            const std::size_t to = node_of(node, send.peer);
            if (on_sent) on_sent(node, to, send);
            const Way& by = way(node, to, send.path);
            if (by.cut || chance(by.loss)) continue;
            for (int copies = chance(by.twice) ? 2 : 1; copies > 0; --copies)
                post({node, to, send.path, send.heartbeat}, by.delay + part_of(by.jitter));
        }
    }
    void post(Flying flying, Nanoseconds after) {
        flying_.emplace(now_ + after, std::move(flying));
    }
    bool chance(double p) { return p > 0 && std::uniform_real_distribution<>(0, 1)(random_) < p; }
    Nanoseconds part_of(Nanoseconds most) {
        if (most.count() == 0) return most;
        return Nanoseconds(std::uniform_int_distribution<std::int64_t>(0, most.count())(random_));
    }

    NetOptions options_;
    std::mt19937_64 random_;
    std::vector<Node> nodes_;
    std::vector<Way> ways_;
    std::multimap<Nanoseconds, Flying> flying_;
    Nanoseconds now_{0};
    std::vector<Said> said_;
    std::uint64_t sent_ = 0;
    std::uint64_t incarnations_ = 100;
    Nanoseconds slept_longest_{0};
    bool streams_ = false;
    Nanoseconds stream_delay_{0};
};

}  // namespace bascule::sync::test
