// SPDX-License-Identifier: Apache-2.0
#include "node/session_worker.h"

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <exception>
#include <future>
#include <thread>
#include <utility>

namespace bascule::node {

namespace {

using namespace std::chrono_literals;

// What a delta waits at most before it is read: when somebody waits for it, and when nobody does.
constexpr auto listened_interval = 2ms;
constexpr auto feed_interval = 5ms;
constexpr std::size_t feed_batch = 65'536;
constexpr auto sweep_interval = 50ms;  // between two parts
constexpr std::uint32_t sweep_parts = 40;

}  // namespace

struct SessionWorker::Impl {
    boost::asio::io_context& control;
    dataplane::Dataplane& dataplane;
    std::function<void(const SessionReport&)> on_report;

    Impl(boost::asio::io_context& control_thread, dataplane::Dataplane& engine,
         std::function<void(const SessionReport&)> call)
        : control(control_thread), dataplane(engine), on_report(std::move(call)) {}

    boost::asio::io_context io{1};
    boost::asio::steady_timer feed_timer{io};
    boost::asio::steady_timer sweep_timer{io};
    SessionReport report;
    dataplane::SweepReport pass;  // the one under way
    std::chrono::steady_clock::time_point pass_began = std::chrono::steady_clock::now();
    std::uint32_t part = 0;
    SessionListener* listener = nullptr;  // session thread only
    std::uint64_t lost = 0;               // announcements, as the listener knows
    dataplane::SweepEvents events{[this](const dataplane::Session& session) {
                                      if (listener != nullptr) listener->on_ended(session);
                                  },
                                  {}};
    // Outlives this object inside posted handlers: they run after it is gone, and then do nothing.
    struct Mailbox {
        std::atomic<bool> taken{true};
        bool closed = false;  // control thread only
    };
    std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>();
    std::thread thread;

    void feed() {
        if (listener == nullptr)
            dataplane.deltas().drain(feed_batch, [](const bsc_delta&) {});
        else
            feed_listener();
        feed_timer.expires_after(listener != nullptr ? listened_interval : feed_interval);
        feed_timer.async_wait([this](const boost::system::error_code& error) {
            if (!error) feed();
        });
    }

    void feed_listener() {
        dataplane.deltas().drain(feed_batch,
                                 [this](const bsc_delta& delta) { listener->on_delta(delta); });
        const std::uint64_t lost_now = dataplane.deltas().lost();
        if (std::exchange(lost, lost_now) != lost_now) listener->on_lost();
        listener->on_tick();
    }

    void sweep() {
        const auto limits = dataplane.idle_limits();
        if (part == 0 && listener != nullptr) listener->on_pass();
        dataplane.sessions().sweep(part, sweep_parts, limits, events, pass);
        if (++part == sweep_parts) finish_pass();
        sweep_timer.expires_after(sweep_interval);
        sweep_timer.async_wait([this](const boost::system::error_code& error) {
            if (!error) sweep();
        });
    }

    // So that the first answers already tell what an earlier process left.
    void first_pass() {
        const auto limits = dataplane.idle_limits();
        dataplane.sessions().sweep(0, 1, limits, events, pass);
        count_pass();
        on_report(report);
    }

    void listen(SessionListener* who) {
        listener = who;
        lost = dataplane.deltas().lost();
        events.on_seen_here = nullptr;
        if (who != nullptr)
            events.on_seen_here = [who](const dataplane::Session& session) {
                who->on_swept(session);
            };
    }

    void finish_pass() {
        part = 0;
        count_pass();
        if (!mailbox->taken.exchange(false)) return;
        boost::asio::post(control, [box = mailbox, copy = report, call = on_report] {
            if (!box->closed) call(copy);
            box->taken = true;
        });
    }

    void count_pass() {
        ++report.passes;
        report.expired += pass.expired;
        report.ended += pass.ended;
        report.duplicates += pass.duplicates;
        report.abandoned += pass.abandoned;
        report.deltas_read = dataplane.deltas().consumed();
        report.deltas_lost = dataplane.deltas().lost();
        report.pass = std::move(pass);
        report.began = std::exchange(pass_began, std::chrono::steady_clock::now());
        pass = {};
    }
};

SessionWorker::SessionWorker(boost::asio::io_context& control, dataplane::Dataplane& dataplane,
                             std::function<void(const SessionReport&)> on_report)
    : impl_(std::make_unique<Impl>(control, dataplane, std::move(on_report))) {
    impl_->first_pass();
    impl_->feed();
    impl_->sweep();
    impl_->thread = std::thread([impl = impl_.get()] { impl->io.run(); });
}

SessionWorker::~SessionWorker() {
    impl_->mailbox->closed = true;
    impl_->io.stop();
    impl_->thread.join();
}

boost::asio::io_context& SessionWorker::io() {
    return impl_->io;
}

void SessionWorker::run(const std::function<void()>& task) {
    std::promise<void> done;
    boost::asio::post(impl_->io, [&] {
        try {
            task();
            done.set_value();
        } catch (...) {
            done.set_exception(std::current_exception());
        }
    });
    done.get_future().get();
}

void SessionWorker::set_listener(SessionListener* listener) {
    impl_->listen(listener);
}

}  // namespace bascule::node
