// SPDX-License-Identifier: Apache-2.0
#include "bench/bare_sync.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <memory>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

#include "bench/sync_node.h"
#include "bench/table_store.h"
#include "sync/tls.h"

namespace bascule::bench {
namespace {

using Step = sync::TlsSession::Step;

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {
        if (fd < 0) throw std::runtime_error("cannot make a socket");
    }
    ~Descriptor() { close(fd_); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

private:
    int fd_;
};

struct Ends {
    std::unique_ptr<Descriptor> client;
    std::unique_ptr<Descriptor> server;
};

void set_up(int fd) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

Ends connect_ends() {
    const Descriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    if (bind(listener.get(), any, size) != 0 || listen(listener.get(), 1) != 0 ||
        getsockname(listener.get(), any, &size) != 0)
        throw std::runtime_error("cannot listen on loopback");
    Ends ends;
    ends.client = std::make_unique<Descriptor>(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(ends.client->get(), any, size) != 0)
        throw std::runtime_error("cannot connect on loopback");
    ends.server =
        std::make_unique<Descriptor>(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    set_up(ends.client->get());
    set_up(ends.server->get());
    return ends;
}

void wait_for(int fd, Step step) {
    if (step == Step::failed || step == Step::ended)
        throw std::runtime_error("the bare TLS connection has ended");
    pollfd one{fd, static_cast<short>(step == Step::want_read ? POLLIN : POLLOUT), 0};
    poll(&one, 1, 1000);
}

void shake_hands(sync::TlsSession& session, int fd) {
    for (Step step; (step = session.handshake()) != Step::done;)
        wait_for(fd, step);
}

Nanoseconds send_all(sync::TlsSession& session, int fd, std::uint64_t bytes, std::size_t frame) {
    shake_hands(session, fd);
    const Nanoseconds began = cpu_of_thread();
    const std::vector<std::uint8_t> data(frame, 0x5a);
    while (bytes > 0) {
        std::span<const std::uint8_t> rest(data.data(), std::min<std::uint64_t>(frame, bytes));
        bytes -= rest.size();
        while (!rest.empty()) {
            std::size_t count = 0;
            const Step step = session.write(rest, count);
            if (step == Step::done)
                rest = rest.subspan(count);
            else
                wait_for(fd, step);
        }
    }
    return cpu_of_thread() - began;
}

Nanoseconds receive_all(sync::TlsSession& session, int fd, std::uint64_t bytes) {
    shake_hands(session, fd);
    const Nanoseconds began = cpu_of_thread();
    std::vector<std::uint8_t> data(std::size_t{64} << 10);
    while (bytes > 0) {
        std::size_t count = 0;
        const Step step = session.read(data, count);
        if (step == Step::done)
            bytes -= std::min<std::uint64_t>(bytes, count);
        else
            wait_for(fd, step);
    }
    return cpu_of_thread() - began;
}

std::shared_ptr<const sync::TlsContexts> contexts(const sync::ClusterKeys& keys,
                                                  const std::string& self,
                                                  const std::string& peer) {
    return std::make_shared<const sync::TlsContexts>(keys, "bench", self,
                                                     std::vector<std::string>{peer});
}

}  // namespace

TlsCopy copy_by_tls(std::uint64_t bytes, std::size_t frame) {
    const Result<sync::ClusterKeys> keys = sync::make_cluster_keys();
    if (!keys) throw std::runtime_error(keys.error().text());
    const Ends ends = connect_ends();
    const auto one = contexts(*keys, "lb1", "lb2");
    const auto other = contexts(*keys, "lb2", "lb1");
    const auto client = one->client(ends.client->get(), "lb2");
    const auto server = other->server(ends.server->get());
    TlsCopy copy;
    std::exception_ptr failed;
    const auto began = std::chrono::steady_clock::now();
    std::thread sender([&] {
        try {
            copy.sender = send_all(*client, ends.client->get(), bytes, frame);
        } catch (...) {
            failed = std::current_exception();
            shutdown(ends.client->get(), SHUT_RDWR);
        }
    });
    try {
        copy.receiver = receive_all(*server, ends.server->get(), bytes);
    } catch (...) {
        shutdown(ends.server->get(), SHUT_RDWR);
        sender.join();
        throw;
    }
    sender.join();
    if (failed) std::rethrow_exception(failed);
    copy.wall = std::chrono::steady_clock::now() - began;
    return copy;
}

Nanoseconds put_into_table(std::uint32_t sessions) {
    TableStore store(2 * std::uint64_t{sessions}, 1000);
    const Nanoseconds began = cpu_of_thread();
    for (std::uint32_t i = 0; i < sessions; ++i)
        store.put(TableStore::flow(i), {sync::StoredSession::State::established, true,
                                        TableStore::target_of(i), store.now()});
    return cpu_of_thread() - began;
}

}  // namespace bascule::bench
