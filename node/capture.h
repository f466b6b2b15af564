// SPDX-License-Identifier: Apache-2.0
// Captures for the operator's command: one at a time, asked for batch by batch.
//
// Everything has an end: a capture whose client is silent for some seconds is ended, and so is one
// whose time is over; a batch is far below what a frame of the control protocol holds.
// Thread: control.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "control/control.pb.h"
#include "dataplane/capture.h"
#include "node/daemon.h"

namespace bascule::node {

// What the request asks for. Error: in words for who asked.
Result<dataplane::CaptureFilter> filter_of(const control::CaptureStartRequest& ask);

class CaptureDesk {
public:
    explicit CaptureDesk(Daemon& daemon) : daemon_(daemon) {}
    ~CaptureDesk() { end(); }

    boost::asio::awaitable<control::Response> start(control::CaptureStartRequest ask);
    // Waits a fifth of a second for the first packet.
    boost::asio::awaitable<control::Response> next(control::CaptureNextRequest ask);
    control::Response stop(const control::CaptureStopRequest& ask);
    // At once, whoever is asking. To be called before the data plane goes.
    void end();

private:
    using Clock = std::chrono::steady_clock;
    struct Running {
        std::uint64_t id;
        std::unique_ptr<dataplane::Capture> capture;
        Clock::time_point end;      // of its time
        Clock::time_point heard;    // of its client
        Clock::time_point renewed;  // its filter
        bool silenced = false;      // no more packets come
    };

    bool runs(std::uint64_t id) const { return running_ && running_->id == id; }
    void keep_up();
    void watch();
    control::Response batch();

    Daemon& daemon_;
    std::optional<Running> running_;
    std::optional<boost::asio::steady_timer> watch_;
    std::uint64_t last_id_ = 0;
};

}  // namespace bascule::node
