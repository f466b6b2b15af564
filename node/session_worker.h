// SPDX-License-Identifier: Apache-2.0
// The session thread: reads the delta logs, sweeps the session tables, and tells the control thread
// what it counted. It is the one consumer of the logs and the one sweeper. Who listens
// (replication) lives on it.
//
// Thread: made and destroyed by the control thread; runs a thread of its own between. Reports reach
// the control thread through its io_context, one at a time: the next is made when the last was
// taken, so nothing piles up.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "dataplane/dataplane.h"

namespace bascule::node {

struct SessionReport {
    dataplane::SweepReport pass;                  // of the last whole pass over the tables
    std::chrono::steady_clock::time_point began;  // that pass
    std::uint64_t passes = 0;
    // since the daemon started
    std::uint64_t expired = 0;
    std::uint64_t ended = 0;
    std::uint64_t duplicates = 0;
    std::uint64_t abandoned = 0;
    std::uint64_t deltas_read = 0;
    std::uint64_t deltas_lost = 0;
};

// Who has to know what becomes of sessions. All members are called on the session thread.
class SessionListener {
public:
    virtual ~SessionListener() = default;
    virtual void on_delta(const bsc_delta& delta) = 0;
    // Announcements were lost since the last call.
    virtual void on_lost() = 0;
    // The logs have been read; every few milliseconds.
    virtual void on_tick() = 0;
    // A whole pass over the tables begins; then, of established sessions that packets were seen of
    // here, those that go on and those that ended by idleness.
    virtual void on_pass() = 0;
    virtual void on_swept(const dataplane::Session& session) = 0;
    virtual void on_ended(const dataplane::Session& session) = 0;
};

class SessionWorker {
public:
    // `on_report` is called once before this returns, and then from `control`'s thread after each
    // pass, about every two seconds.
    SessionWorker(boost::asio::io_context& control, dataplane::Dataplane& dataplane,
                  std::function<void(const SessionReport&)> on_report);
    ~SessionWorker();  // waits for the thread

    // The session thread's. Nothing of it may be left that is of any use when this goes.
    boost::asio::io_context& io();
    // Runs the task on the session thread and waits for its end. From another thread.
    void run(const std::function<void()>& task);
    // On the session thread; nullptr: nobody.
    void set_listener(SessionListener* listener);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bascule::node
