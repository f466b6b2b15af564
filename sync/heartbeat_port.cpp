// SPDX-License-Identifier: Apache-2.0
#include "sync/heartbeat_port.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <thread>
#include <utility>

#include "sync/codec.h"
#include "sync/heartbeat_mail.h"
#include "sync/heartbeat_thread.h"

namespace bascule::sync {
namespace {

namespace asio = boost::asio;

// All signals are the control thread's. A thread starts with the mask of the one that makes it.
class SignalsHeldBack {
public:
    SignalsHeldBack() {
        sigset_t all;
        sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    SignalsHeldBack(const SignalsHeldBack&) = delete;
    SignalsHeldBack& operator=(const SignalsHeldBack&) = delete;
    ~SignalsHeldBack() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

int duplicate(int fd) {
    const int out = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (out < 0) throw std::system_error(errno, std::generic_category(), "F_DUPFD_CLOEXEC");
    return out;
}

// The control thread's end. Its handler holds it, and finds out when the port has gone meanwhile.
class NewsReader : public std::enable_shared_from_this<NewsReader> {
public:
    NewsReader(asio::io_context& control, HeartbeatOutbox& outbox,
               HeartbeatPort::Callbacks callbacks)
        : outbox_(&outbox),
          callbacks_(std::move(callbacks)),
          bell_(control, duplicate(outbox.wake_up.fd())) {}

    void wait() {
        bell_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                             if (!error) self->read();
                             if (self->outbox_ != nullptr) self->wait();
                         });
    }

    void close() {
        outbox_ = nullptr;
        boost::system::error_code ignored;
        bell_.close(ignored);
    }

private:
    // Anyone of those who are told may end the port.
    void read() {
        if (outbox_ == nullptr) return;
        outbox_->wake_up.clear();
        auto news = outbox_->news.take();
        if (!news) return;
        for (const MembershipChange& change : news->changes)
            if (outbox_ != nullptr && callbacks_.on_change) callbacks_.on_change(change);
        if (outbox_ != nullptr && callbacks_.on_report) callbacks_.on_report(news->report);
        if (outbox_ != nullptr) outbox_->read.put(std::move(news));
    }

    HeartbeatOutbox* outbox_;  // nullptr: the port has gone
    HeartbeatPort::Callbacks callbacks_;
    asio::posix::stream_descriptor bell_;
};

}  // namespace

struct HeartbeatPort::Impl {
    Impl(asio::io_context& control, HeartbeatPortOptions with, const ClusterKeys& keys,
         Callbacks callbacks)
        : options(std::move(with)),
          work(options, make_seals(keys), callbacks, inbox, outbox),
          reader(std::make_shared<NewsReader>(control, outbox, std::move(callbacks))) {
        reader->wait();
        const SignalsHeldBack held_back;
        thread = std::thread([this] { work.run(); });
    }

    std::unique_ptr<Seals> make_seals(const ClusterKeys& keys) const {
        return std::make_unique<Seals>(keys, options.cluster.name, options.self,
                                       peers_of(options.cluster, options.self));
    }

    const HeartbeatPortOptions options;
    HeartbeatInbox inbox;
    HeartbeatOutbox outbox;
    std::unique_ptr<StreamWords> words;  // the newest; of the session thread
    HeartbeatThread work;
    std::shared_ptr<NewsReader> reader;
    std::thread thread;
};

HeartbeatPort::HeartbeatPort(asio::io_context& control, HeartbeatPortOptions options,
                             const ClusterKeys& keys, Callbacks callbacks)
    : impl_(std::make_unique<Impl>(control, std::move(options), keys, std::move(callbacks))) {}

HeartbeatPort::~HeartbeatPort() {
    impl_->reader->close();
    impl_->inbox.stop.store(true, std::memory_order_release);
    impl_->inbox.wake_up.ring();
    impl_->thread.join();
}

void HeartbeatPort::set_facts(const NodeFacts& facts) {
    impl_->inbox.facts.put(std::make_unique<NodeFacts>(facts));
    impl_->inbox.wake_up.ring();
}

void HeartbeatPort::set_keys(const ClusterKeys& keys) {
    impl_->inbox.seals.put(impl_->make_seals(keys));
    impl_->inbox.wake_up.ring();
}

void HeartbeatPort::set_fitness(const OwnFitness& fitness) {
    impl_->inbox.fitness.put(std::make_unique<OwnFitness>(fitness));
    impl_->inbox.wake_up.ring();
}

void HeartbeatPort::set_takeover(const TakeoverOptions& options) {
    impl_->inbox.takeover.put(
        std::make_unique<TakeoverOptions>(takeover_options(impl_->options, options)));
    impl_->inbox.wake_up.ring();
}

void HeartbeatPort::set_holdings(std::vector<VipHolding> holdings) {
    impl_->inbox.holdings.put(std::make_unique<std::vector<VipHolding>>(std::move(holdings)));
    impl_->inbox.wake_up.ring();
}

void HeartbeatPort::ask_on_wire(std::vector<WirePlace> places) {
    impl_->inbox.wire.put(std::make_unique<std::vector<WirePlace>>(std::move(places)));
    impl_->inbox.wake_up.ring();
}

void HeartbeatPort::set_wire_links(std::vector<std::string> names) {
    impl_->inbox.wire_links.put(std::make_unique<std::vector<std::string>>(std::move(names)));
    impl_->inbox.wake_up.ring();
}

bool HeartbeatPort::move_vip(VipId vip) {
    const bool fits = impl_->inbox.moves.put(vip);
    impl_->inbox.wake_up.ring();
    return fits;
}

void HeartbeatPort::stream_answered(std::size_t peer, const std::string& heartbeat, Moment asked) {
    auto answer = std::make_unique<StreamAnswer>();
    answer->asked = asked;
    if (!heartbeat.empty()) {
        answer->said = decode_heartbeat(
            {reinterpret_cast<const std::uint8_t*>(heartbeat.data()), heartbeat.size()});
        if (!answer->said) return;  // what nobody understands vouches for nobody
    }
    impl_->inbox.answers.at(peer).put(std::move(answer));
    impl_->inbox.wake_up.ring();
}

std::optional<std::string> HeartbeatPort::words_for(std::size_t peer) {
    if (auto words = impl_->outbox.words.take()) impl_->words = std::move(words);
    if (!impl_->words || std::chrono::steady_clock::now() >= impl_->words->until)
        return std::nullopt;
    return impl_->words->to.at(peer);
}

}  // namespace bascule::sync
