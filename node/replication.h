// SPDX-License-Identifier: Apache-2.0
// The session thread's part of the cluster: joins what happens to sessions here, what peers say on
// their streams, and the session table; and hands on what is not about sessions.
//
// Bounds: what waits for a peer's stream beside the replica's log is at most most_waiting bytes a
// peer. What is beyond is dropped and counted: it is about the shared map, whose digests tell later
// what is missing.
// Thread: session.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/session_bridge.h"
#include "node/session_worker.h"
#include "sync/cluster_key.h"
#include "sync/peer_streams.h"
#include "sync/replica.h"

namespace bascule::node {

struct ReplicationOptions {
    model::ClusterConfig cluster;
    std::string self;
    sync::Incarnation incarnation = 0;
    std::string release;
    std::vector<std::string> peers;  // names, in the order of the configuration
    sync::RingSecretWords fingerprint_key{};
    std::uint32_t walk_parts = 64;  // of the session table
};

struct ReplicationView {
    sync::StreamsView streams;
    std::vector<sync::ReplicaPeerView> replica;
    std::uint64_t dropped = 0;   // messages about the shared map that found no room
    std::size_t bytes_kept = 0;  // of the log
};

class Replication final : public SessionListener, public sync::StreamUser {
public:
    static constexpr std::size_t most_waiting = std::size_t{16} << 20;

    // All are called on the session thread.
    struct Callbacks {
        // Of a probe that was asked at that moment; and of a peer's (StreamUser::answer_to).
        std::function<void(std::size_t peer, const std::string& heartbeat, sync::Moment asked)>
            on_answer;
        std::function<std::optional<std::string>(std::size_t peer)> answer_to;
        std::function<void(std::size_t peer)> on_connected;
        // About the shared map. False: there is no room for it.
        std::function<bool(std::size_t peer, const sync::StreamMessage& message)> on_shared;
    };

    // `bridge` outlives it.
    Replication(boost::asio::io_context& io, ReplicationOptions options,
                const sync::ClusterKeys& keys, SessionBridge& bridge, Callbacks callbacks);
    ~Replication() override;

    void send(std::size_t peer, const sync::StreamMessage& message);
    void targets_changed();
    void probe(std::size_t peer) { streams_->probe(peer); }
    void set_keys(const sync::ClusterKeys& keys) { streams_->set_keys(keys); }
    void set_path_alive(std::size_t peer, std::size_t path, bool alive) {
        streams_->set_path_alive(peer, path, alive);
    }
    // The peer is dead, or heard by no path that carries sessions: what TCP still holds for it
    // would come late, and is not in step meanwhile.
    void lose(std::size_t peer) { streams_->disconnect(peer, "nothing is heard of it"); }
    // This incarnation of the peer lives: a stream with an earlier one leads nowhere.
    void set_incarnation(std::size_t peer, sync::Incarnation incarnation);
    void close(std::function<void()> done) { streams_->close(std::move(done)); }
    ReplicationView view() const;

    void on_delta(const bsc_delta& delta) override;
    void on_lost() override;
    void on_tick() override;
    void on_pass() override;
    void on_swept(const dataplane::Session& session) override;
    void on_ended(const dataplane::Session& session) override;

    sync::Hello hello(std::size_t peer) override;
    void on_connected(std::size_t peer, const sync::Hello& theirs) override;
    void on_disconnected(std::size_t peer, const std::string& why) override;
    Result<void> on_message(std::size_t peer, const sync::StreamMessage& message) override;
    sync::Frame next_frame(std::size_t peer) override;
    void on_answer(std::size_t peer, const sync::Pong& pong, sync::Moment asked) override;
    std::optional<std::string> answer_to(std::size_t peer) override {
        return callbacks_.answer_to(peer);
    }

private:
    struct Waiting {
        std::deque<sync::Frame> frames;
        std::size_t bytes = 0;
        bool connected = false;
        sync::Incarnation incarnation = 0;  // of the peer's other end
    };

    SessionBridge& bridge_;
    Callbacks callbacks_;
    std::vector<Waiting> peers_;
    std::uint64_t dropped_ = 0;
    std::optional<sync::Moment> lost_told_;
    sync::Replica replica_;
    std::unique_ptr<sync::PeerStreams> streams_;
};

}  // namespace bascule::node
