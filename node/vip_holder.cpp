// SPDX-License-Identifier: Apache-2.0
#include "node/vip_holder.h"

#include <fcntl.h>
#include <pthread.h>

#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <thread>
#include <utility>

#include "node/vip_hands.h"
#include "sync/heartbeat_mail.h"
#include "sync/realtime.h"
#include "sync/slot.h"

namespace bascule::node {

namespace asio = boost::asio;

namespace {

int duplicate(int fd) {
    const int out = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (out < 0) throw std::system_error(errno, std::generic_category(), "F_DUPFD_CLOEXEC");
    return out;
}

// Reports on their way to the control thread: the newest only. What has been posted there holds it.
class Desk : public std::enable_shared_from_this<Desk> {
public:
    Desk(asio::io_context& control, std::function<void(const VipHolderReport&)> on_report)
        : control_(control), on_report_(std::move(on_report)) {}

    // The holder's thread.
    void put(const VipHolderReport& report) {
        newest_.put(std::make_unique<VipHolderReport>(report));
        if (posted_.exchange(true)) return;
        asio::post(control_, [self = shared_from_this()] { self->read(); });
    }
    // The control thread: nobody is told any more.
    void close() { open_ = false; }

private:
    void read() {
        posted_ = false;  // before it is taken: what comes later is posted again
        const auto report = newest_.take();
        if (report && open_ && on_report_) on_report_(*report);
    }

    asio::io_context& control_;
    const std::function<void(const VipHolderReport&)> on_report_;
    sync::Slot<VipHolderReport> newest_;
    std::atomic<bool> posted_{false};
    bool open_ = true;
};

// From any thread, which never waits.
struct Inbox {
    sync::WakeUp wake_up;
    sync::Slot<std::vector<sync::VipDuty>> duties;
    sync::Slot<std::vector<sync::VipDuty>> read;  // given back: who has made them frees them
};

VipHands::Callbacks joined(VipHolder::Callbacks callbacks, std::shared_ptr<Desk> desk) {
    return {std::move(callbacks.on_holdings),
            [desk = std::move(desk)](const VipHolderReport& report) { desk->put(report); },
            std::move(callbacks.look_for_rivals), std::move(callbacks.on_rivals)};
}

}  // namespace

struct VipHolder::Impl {
    Impl(asio::io_context& control, std::vector<model::VipConfig> vips, Callbacks callbacks)
        : bell(io, duplicate(inbox.wake_up.fd())),
          desk(std::make_shared<Desk>(control, callbacks.on_report)),
          hands(io, std::move(vips), joined(std::move(callbacks), desk)) {
        wait();
        // All signals are the control thread's. A thread starts with the mask of its maker.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before);
        thread = std::thread([this] {
            // Why it may run without is told of the heartbeats, for the same reason.
            static_cast<void>(sync::take_realtime_priority("vips", sync::Urgency::hands));
            io.run();
        });
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    void wait() {
        bell.async_wait(asio::posix::stream_descriptor::wait_read,
                        [this](const boost::system::error_code& error) {
                            if (error) return;
                            read();
                            wait();
                        });
    }

    void read() {
        inbox.wake_up.clear();
        auto duties = inbox.duties.take();
        if (!duties) return;
        hands.set_duties(*duties);
        inbox.read.put(std::move(duties));
    }

    Inbox inbox;
    asio::io_context io{1};
    asio::posix::stream_descriptor bell;
    std::shared_ptr<Desk> desk;
    VipHands hands;
    std::thread thread;
};

VipHolder::VipHolder(asio::io_context& control, std::vector<model::VipConfig> vips,
                     Callbacks callbacks)
    : impl_(std::make_unique<Impl>(control, std::move(vips), std::move(callbacks))) {}

VipHolder::~VipHolder() {
    impl_->desk->close();
    asio::post(impl_->io, [impl = impl_.get()] {
        impl->read();
        impl->io.stop();
    });
    impl_->thread.join();
}

void VipHolder::set_duties(std::vector<sync::VipDuty> duties) {
    impl_->inbox.read.take();
    impl_->inbox.duties.put(std::make_unique<std::vector<sync::VipDuty>>(std::move(duties)));
    impl_->inbox.wake_up.ring();
}

void VipHolder::set_vips(std::vector<model::VipConfig> vips) {
    asio::post(impl_->io, [this, vips = std::move(vips)]() mutable {
        impl_->hands.set_vips(std::move(vips));
    });
}

void VipHolder::look_at(const std::string& interface) {
    asio::post(impl_->io, [this, interface] { impl_->hands.look_at(interface); });
}

}  // namespace bascule::node
