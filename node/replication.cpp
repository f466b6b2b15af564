// SPDX-License-Identifier: Apache-2.0
#include "node/replication.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>
#include <variant>

#include "sync/codec.h"
#include "sync/shared_exchange.h"

namespace bascule::node {

namespace {

using namespace std::chrono_literals;

// With what a delta waits in its log before it is read, this makes the 5 ms within which it leaves.
constexpr auto batch_delay = 3ms;
// Between two log lines on lost announcements.
constexpr auto lost_pause = 10s;

sync::Moment now() {
    return std::chrono::steady_clock::now();
}

sync::ReplicaOptions replica_options(const ReplicationOptions& options) {
    sync::ReplicaOptions replica;
    replica.cluster = options.cluster.name;
    replica.self = options.self;
    replica.incarnation = options.incarnation;
    replica.release = options.release;
    replica.peers = options.peers;
    replica.fingerprint_key = options.fingerprint_key;
    replica.batch_delay = batch_delay;
    replica.walk_parts = options.walk_parts;
    return replica;
}

bool is_shared(const sync::StreamMessage& message) {
    return std::holds_alternative<sync::SharedDigests>(message) ||
           std::holds_alternative<sync::SharedItems>(message);
}

}  // namespace

Replication::Replication(boost::asio::io_context& io, ReplicationOptions options,
                         const sync::ClusterKeys& keys, SessionBridge& bridge, Callbacks callbacks)
    : bridge_(bridge),
      callbacks_(std::move(callbacks)),
      peers_(options.peers.size()),
      replica_(replica_options(options), bridge, now()) {
    targets_changed();
    replica_.set_wake([this](std::size_t peer) { streams_->wake(peer); });
    streams_ = std::make_unique<sync::PeerStreams>(
        io, sync::PeerStreamsOptions{std::move(options.cluster), std::move(options.self)}, keys,
        *this);
}

Replication::~Replication() {
    streams_.reset();  // the replica is what it talks to
}

void Replication::send(std::size_t peer, const sync::StreamMessage& message) {
    sync::Frame frame;
    for (std::size_t each = 0; each < peers_.size(); ++each) {
        Waiting& waiting = peers_[each];
        if ((peer != each && peer != sync::every_peer) || !waiting.connected) continue;
        if (!frame) frame = sync::encode(message);
        if (waiting.bytes + frame->size() > most_waiting) {
            ++dropped_;
            continue;
        }
        waiting.bytes += frame->size();
        waiting.frames.push_back(frame);
        streams_->wake(each);
    }
}

void Replication::targets_changed() {
    replica_.set_targets(bridge_.ids()->targets());
}

void Replication::set_incarnation(std::size_t peer, sync::Incarnation incarnation) {
    const Waiting& waiting = peers_[peer];
    if (waiting.connected && waiting.incarnation != incarnation)
        streams_->disconnect(peer, "it was restarted");
}

ReplicationView Replication::view() const {
    return {streams_->view(), replica_.view(now()), dropped_, replica_.bytes_kept()};
}

// ---- what happens here ----

void Replication::on_delta(const bsc_delta& delta) {
    if (const auto record = bridge_.record_of(delta)) replica_.on_local(*record, now());
}

// Where more is announced than can be read this comes every few milliseconds.
void Replication::on_lost() {
    const sync::Moment time = now();
    if (!lost_told_ || time - *lost_told_ >= lost_pause) {
        lost_told_ = time;
        spdlog::warn("announcements of sessions were lost: peers compare all of theirs with ours");
    }
    replica_.on_lost(time);
}

void Replication::on_tick() {
    replica_.on_tick(now());
}

void Replication::on_pass() {
    replica_.on_pass(now());
}

void Replication::on_swept(const dataplane::Session& session) {
    sync::Flow flow;
    sync::StoredSession stored;
    if (bridge_.describe(session, flow, stored)) replica_.on_swept(flow, stored, now());
}

void Replication::on_ended(const dataplane::Session& session) {
    if (const auto record = bridge_.ended(session)) replica_.on_local(*record, now());
}

// ---- what peers say ----

sync::Hello Replication::hello(std::size_t peer) {
    return replica_.hello(peer);
}

void Replication::on_connected(std::size_t peer, const sync::Hello& theirs) {
    peers_[peer].connected = true;
    peers_[peer].incarnation = theirs.incarnation;
    replica_.on_connected(peer, theirs, now());
    callbacks_.on_connected(peer);
}

void Replication::on_disconnected(std::size_t peer, const std::string& why) {
    spdlog::debug("stream of peer {}: {}", peer, why);
    peers_[peer] = {};
    replica_.on_disconnected(peer, now());
}

Result<void> Replication::on_message(std::size_t peer, const sync::StreamMessage& message) {
    if (!is_shared(message)) return replica_.on_message(peer, message, now());
    if (!callbacks_.on_shared(peer, message)) ++dropped_;
    return {};
}

sync::Frame Replication::next_frame(std::size_t peer) {
    Waiting& waiting = peers_[peer];
    if (waiting.frames.empty()) return replica_.next_frame(peer, now());
    sync::Frame frame = std::move(waiting.frames.front());
    waiting.frames.pop_front();
    waiting.bytes -= frame->size();
    return frame;
}

void Replication::on_answer(std::size_t peer, const sync::Pong& pong, sync::Moment asked) {
    callbacks_.on_answer(peer, pong.heartbeat, asked);
}

}  // namespace bascule::node
