// SPDX-License-Identifier: Apache-2.0
// A task that is wanted within some time: asked for again and again, it runs once, at the earliest
// time that was named. Thread: that of the io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <utility>

namespace bascule::node {

class Soon {
public:
    Soon(boost::asio::io_context& io, std::function<void()> task)
        : timer_(io), task_(std::move(task)) {}

    void within(std::chrono::milliseconds delay) {
        const auto when = std::chrono::steady_clock::now() + delay;
        if (planned_ && timer_.expiry() <= when) return;
        planned_ = true;
        timer_.expires_at(when);
        timer_.async_wait([this](const boost::system::error_code& error) {
            if (error) return;
            planned_ = false;
            task_();
        });
    }
    void cancel() {
        planned_ = false;
        timer_.cancel();
    }

private:
    boost::asio::steady_timer timer_;
    std::function<void()> task_;
    bool planned_ = false;
};

}  // namespace bascule::node
