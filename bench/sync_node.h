// SPDX-License-Identifier: Apache-2.0
// A node as far as replication goes: a table, a Replica and its streams over TLS, in a thread of
// its own as the daemon has it; and the sessions that its data plane would announce.
//
// Thread: made, asked and destroyed by one thread; call() runs in the node's.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bench/table_store.h"
#include "sync/peer_streams.h"
#include "sync/replica.h"

namespace bascule::bench {

using Nanoseconds = std::chrono::nanoseconds;

// Of the calling thread.
Nanoseconds cpu_of_thread();

class SyncNode : public sync::StreamUser {
public:
    struct Options {
        model::ClusterConfig cluster;  // of two nodes
        std::size_t self = 0;          // of them
        sync::ClusterKeys keys;
        std::uint64_t room = 0;  // sessions
    };
    explicit SyncNode(const Options& options);
    ~SyncNode() override;
    SyncNode(const SyncNode&) = delete;
    SyncNode& operator=(const SyncNode&) = delete;

    void start();
    // Waits for its result.
    template <typename Work>
    auto call(Work work) {
        std::packaged_task<decltype(work())()> task(std::move(work));
        auto result = task.get_future();
        boost::asio::post(io_, [&task] { task(); });
        return result.get();
    }

    // Sessions that its own data plane has; before start().
    void fill(std::uint32_t first, std::uint32_t count);
    // Announces new sessions, `rate` a second; 0: as fast as the peer takes them.
    void announce(std::uint32_t first, std::uint32_t count, std::uint32_t rate);
    bool has_announced();
    bool is_synced();
    // Everything that was announced is in the peer's table.
    bool is_acknowledged();
    void reconnect();

    Nanoseconds cpu();
    std::uint64_t bytes_sent();
    std::uint64_t sessions();
    sync::ReplicaPeerView view();
    // How old the oldest record of each batch was when all of it was in the table here.
    std::vector<Nanoseconds> take_lags();
    // The longest that one step (a tick, a message) has kept the thread, of its CPU time.
    Nanoseconds longest_step();

private:
    sync::Hello hello(std::size_t peer) override;
    void on_connected(std::size_t peer, const sync::Hello& theirs) override;
    void on_disconnected(std::size_t peer, const std::string& why) override;
    Result<void> on_message(std::size_t peer, const sync::StreamMessage& message) override;
    sync::Frame next_frame(std::size_t peer) override;
    void on_answer(std::size_t peer, const sync::Pong& pong, sync::Moment asked) override;

    void tick();
    void load();
    void note_step(Nanoseconds began);
    sync::ReplicaPeerView view_now() const;

    Options options_;
    boost::asio::io_context io_;
    boost::asio::steady_timer timer_{io_};
    TableStore store_;
    std::optional<sync::Replica> replica_;
    std::optional<sync::PeerStreams> streams_;
    std::thread thread_;
    std::vector<Nanoseconds> lags_;
    Nanoseconds longest_{0};

    std::uint64_t announced_ = 0;  // in all
    std::uint32_t next_ = 0;
    std::uint32_t end_ = 0;
    std::uint32_t first_ = 0;
    std::uint32_t rate_ = 0;
    std::chrono::steady_clock::time_point load_began_;
};

}  // namespace bascule::bench
