// SPDX-License-Identifier: Apache-2.0
// Replicas wired back to back in simulated time, by frames that are encoded and decoded: a stream
// between any two of them that can be held up and broken, and a session table in memory each.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sync/codec.h"
#include "sync/replica.h"

namespace bascule::sync {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr ServiceId test_service = 77;
inline constexpr std::uint32_t test_limit = 3600;

inline Flow flow_of(std::uint32_t number, ServiceId service = test_service) {
    Flow flow;
    flow.source = Address::v4({10, static_cast<std::uint8_t>(number >> 24),
                               static_cast<std::uint8_t>(number >> 16),
                               static_cast<std::uint8_t>(number >> 8)});
    flow.source_port = static_cast<std::uint16_t>(1024 + (number & 0xff));
    flow.destination_port = 80;
    flow.service = service;
    return flow;
}

struct FlowHash {
    std::size_t operator()(const Flow& flow) const {
        return static_cast<std::size_t>(Fingerprinter({1, 2}).of(flow, 0).fingerprint);
    }
};

class MemoryStore : public SessionStore {
public:
    static constexpr std::uint32_t shares = 64;
    using Share = std::unordered_map<Flow, StoredSession, FlowHash>;

    Seconds32 now() const override { return clock; }
    std::uint32_t established_limit(ServiceId service) const override {
        const auto found = limits.find(service);
        return found == limits.end() ? 0 : found->second;
    }
    bool knows(ServiceId service, TargetId target) const override {
        return limits.contains(service) &&
               std::binary_search(targets.begin(), targets.end(), target);
    }
    std::optional<StoredSession> find(const Flow& flow) const override {
        const Share& share = share_of(flow);
        const auto found = share.find(flow);
        if (found == share.end()) return std::nullopt;
        return found->second;
    }
    Put put(const Flow& flow, const StoredSession& session) override {
        EXPECT_NE(session.state, StoredSession::State::unproven);
        if (!knows(flow.service, session.target)) return Put::unknown_target;
        Share& share = share_of(flow);
        if (!share.contains(flow) && size() >= room) return Put::no_room;
        share[flow] = session;
        return Put::stored;
    }
    void erase(const Flow& flow) override { share_of(flow).erase(flow); }
    void walk(std::uint32_t part, std::uint32_t parts,
              const std::function<void(const Flow&, const StoredSession&)>& visit) const override {
        for (std::uint32_t i = part; i < shares; i += parts)
            for (const auto& [flow, session] : table_[i])
                if (session.state != StoredSession::State::unproven &&
                    knows(flow.service, session.target))
                    visit(flow, session);
    }

    void set(const Flow& flow, const StoredSession& session) { share_of(flow)[flow] = session; }
    std::size_t size() const {
        std::size_t size = 0;
        for (const Share& each : table_)
            size += each.size();
        return size;
    }
    void clear() {
        for (Share& each : table_)
            each.clear();
    }
    void each(const std::function<void(const Flow&, const StoredSession&)>& visit) const {
        for (const Share& share : table_)
            for (const auto& [flow, session] : share)
                visit(flow, session);
    }
    // Established sessions and where they go.
    std::map<Flow, TargetId> established() const {
        std::map<Flow, TargetId> all;
        each([&](const Flow& flow, const StoredSession& session) {
            if (session.state == StoredSession::State::established) all[flow] = session.target;
        });
        return all;
    }

    Seconds32 clock = 0;
    std::map<ServiceId, std::uint32_t> limits{{test_service, test_limit}};
    std::vector<TargetId> targets{100, 200, 300};  // rising
    std::size_t room = SIZE_MAX;

private:
    Share& share_of(const Flow& flow) { return table_[FlowHash()(flow) % shares]; }
    const Share& share_of(const Flow& flow) const { return table_[FlowHash()(flow) % shares]; }

    std::array<Share, shares> table_;
};

class ReplicaBed {
public:
    struct Node {
        MemoryStore store;
        Seconds32 ahead = 0;  // of its clock
        ReplicaOptions options;
        std::unique_ptr<Replica> replica;
        Moment next_pass{};
    };
    struct Stream {
        bool up = false;
        bool held = false;                           // nothing is delivered
        std::deque<std::pair<Moment, Frame>> queue;  // when each arrives
        std::size_t most_queued = std::size_t{256} << 10;
        std::uint64_t delivered = 0;  // frames
        std::uint64_t bytes = 0;
    };

    explicit ReplicaBed(std::size_t nodes) : nodes_(nodes), streams_(nodes * nodes) {
        for (std::size_t i = 0; i < nodes; ++i) {
            Node& node = nodes_[i];
            node.ahead = static_cast<Seconds32>(1'000'000 * i + 5000);
            node.options.cluster = "edge";
            node.options.self = name(i);
            node.options.fingerprint_key = {11, 22};
            for (std::size_t j = 0; j < nodes; ++j)
                if (j != i) node.options.peers.push_back(name(j));
        }
        set_clocks();
        for (std::size_t i = 0; i < nodes; ++i)
            restart(i);
    }

    static std::string name(std::size_t node) { return "lb" + std::to_string(node + 1); }
    Node& operator[](std::size_t node) { return nodes_[node]; }
    Stream& stream(std::size_t from, std::size_t to) { return streams_[from * nodes_.size() + to]; }
    Replica& replica(std::size_t node) { return *nodes_[node].replica; }
    ReplicaPeerView view(std::size_t node, std::size_t peer) {
        return replica(node).view(now)[index(node, peer)];
    }
    // An index into node's peers.
    static std::size_t index(std::size_t node, std::size_t peer) {
        return peer < node ? peer : peer - 1;
    }

    // A new run of the node's daemon; its table stays.
    void restart(std::size_t node) {
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            if (i != node) cut(node, i);
        Node& it = nodes_[node];
        it.options.incarnation = ++incarnations_;
        it.replica = std::make_unique<Replica>(it.options, it.store, now);
        it.replica->set_targets(it.store.targets);
        it.next_pass = now;
    }

    void join(std::size_t a, std::size_t b) {
        if (stream(a, b).up) return;
        stream(a, b).up = stream(b, a).up = true;
        const Hello of_a = carried(replica(a).hello(index(a, b)));
        const Hello of_b = carried(replica(b).hello(index(b, a)));
        replica(a).on_connected(index(a, b), of_b, now);
        replica(b).on_connected(index(b, a), of_a, now);
    }
    void cut(std::size_t a, std::size_t b) {
        if (!stream(a, b).up) return;
        for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
            stream(from, to).up = false;
            stream(from, to).queue.clear();
            replica(from).on_disconnected(index(from, to), now);
        }
    }
    void join_all() {
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            for (std::size_t j = i + 1; j < nodes_.size(); ++j)
                join(i, j);
    }

    // Time goes on, two milliseconds at a time.
    void run(Nanoseconds span) {
        for (const Moment until = now + span; now < until;)
            step();
    }
    // Until `done`, for at most `span`; whether it came.
    bool run_until(const std::function<bool()>& done, Nanoseconds span = seconds(60)) {
        for (const Moment until = now + span; now < until;) {
            if (done()) return true;
            step();
        }
        return done();
    }
    bool run_until_synced(Nanoseconds span = seconds(60)) {
        return run_until([this] { return synced(); }, span);
    }
    bool synced() {
        for (Node& each : nodes_)
            if (!each.replica->synced()) return false;
        return true;
    }
    // Nothing happens any more but what is on its way.
    void settle() { run(milliseconds(100)); }
    // Much time goes by at once, in which nobody does anything.
    void skip(Nanoseconds span) {
        now += span;
        set_clocks();
    }

    void step() {
        now += milliseconds(2);
        set_clocks();
        for (Node& each : nodes_) {
            sweep(each);
            each.replica->on_tick(now);
        }
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            for (std::size_t j = 0; j < nodes_.size(); ++j)
                if (i != j) carry(i, j);
    }

    // ---- what the data plane does ----
    void establish(std::size_t node, const Flow& flow, TargetId target = 100) {
        Node& it = nodes_[node];
        it.store.set(flow, {StoredSession::State::established, false, target, it.store.now()});
        tell(node, SessionRecord::Kind::established, flow);
    }
    // A packet of it is seen.
    void see(std::size_t node, const Flow& flow) {
        StoredSession session = nodes_[node].store.find(flow).value();
        session.from_peer = false;
        session.seen = nodes_[node].store.now();
        nodes_[node].store.set(flow, session);
    }
    void close(std::size_t node, const Flow& flow) {
        see(node, flow);
        StoredSession session = nodes_[node].store.find(flow).value();
        session.state = StoredSession::State::closing;
        nodes_[node].store.set(flow, session);
        tell(node, SessionRecord::Kind::closed, flow);
    }
    void end(std::size_t node, const Flow& flow) {
        tell(node, SessionRecord::Kind::ended, flow);
        nodes_[node].store.erase(flow);
    }
    void tell(std::size_t node, SessionRecord::Kind kind, const Flow& flow) {
        const StoredSession session = nodes_[node].store.find(flow).value();
        replica(node).on_local({kind, flow, session.target, session.seen}, now);
    }

    Moment now{seconds(1'000'000)};
    // Called with each frame before it is delivered; false: it is lost, and the stream breaks.
    std::function<bool(std::size_t from, std::size_t to, const Frame&)> on_frame;
    std::vector<std::string> errors;
    bool sweeping = true;
    milliseconds delay{0};  // of every stream, each way

private:
    static StreamMessage decoded(const Frame& frame) {
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame->data());
        auto message = decode({bytes + 4, frame->size() - 4});
        if (!message) throw std::runtime_error(message.error().text());
        return **message;
    }
    static Hello carried(const Hello& hello) { return std::get<Hello>(decoded(encode(hello))); }

    void set_clocks() {
        const auto second = static_cast<Seconds32>(now.time_since_epoch() / seconds(1));
        for (Node& each : nodes_)
            each.store.clock = second + each.ahead;
    }

    // A whole pass every second.
    void sweep(Node& node) {
        if (!sweeping || now < node.next_pass) return;
        node.next_pass = now + seconds(1);
        node.replica->on_pass(now);
        std::vector<std::pair<Flow, StoredSession>> idle;
        node.store.each([&](const Flow& flow, const StoredSession& session) {
            if (session.state != StoredSession::State::established) return;
            if (node.store.now() - session.seen >= node.store.established_limit(flow.service))
                idle.emplace_back(flow, session);
            else if (!session.from_peer)
                node.replica->on_swept(flow, session, now);
        });
        for (const auto& [flow, session] : idle) {
            node.store.erase(flow);
            if (!session.from_peer)
                node.replica->on_local(
                    {SessionRecord::Kind::ended, flow, session.target, session.seen}, now);
        }
    }

    void carry(std::size_t from, std::size_t to) {
        Stream& way = stream(from, to);
        std::size_t queued = 0;
        for (const auto& [at, each] : way.queue)
            queued += each->size();
        while (way.up && queued < way.most_queued) {
            Frame frame = replica(from).next_frame(index(from, to), now);
            if (!frame) break;
            queued += frame->size();
            way.queue.emplace_back(now + delay, std::move(frame));
        }
        while (way.up && !way.held && !way.queue.empty() && way.queue.front().first <= now) {
            const Frame frame = way.queue.front().second;
            way.queue.pop_front();
            if (on_frame && !on_frame(from, to, frame)) {
                cut(from, to);
                return;
            }
            ++way.delivered;
            way.bytes += frame->size();
            const auto result = replica(to).on_message(index(to, from), decoded(frame), now);
            if (result) continue;
            errors.push_back(name(to) + " of " + name(from) + ": " + result.error().text());
            cut(from, to);
        }
    }

    std::vector<Node> nodes_;
    std::vector<Stream> streams_;
    Incarnation incarnations_ = 100;
};

}  // namespace bascule::sync
