// SPDX-License-Identifier: Apache-2.0
// A TCP server on loopback that does with each connection what a test says, also what no server
// should. Each connection has a thread; all end with the server.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace bascule::health {

class Client {
public:
    Client(int fd, int number, const std::atomic<bool>& over)
        : fd_(fd), number_(number), over_(over) {}

    int fd() const { return fd_; }
    int number() const { return number_; }  // from 0, in the order they came
    bool over() const { return over_; }

    // False: the other side is gone, or the server is to end.
    bool send(std::string_view bytes) const {
        while (!bytes.empty() && !over_) {
            const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (count <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(count));
        }
        return bytes.empty();
    }
    // What is there, at least one byte; empty: the other side is gone.
    std::string receive() const {
        std::string out(4096, '\0');
        const ssize_t count = ::recv(fd_, out.data(), out.size(), 0);
        out.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        return out;
    }
    // A whole request without a body; empty: there is none.
    std::string receive_request() const {
        std::string out;
        while (!out.ends_with("\r\n\r\n")) {
            const std::string more = receive();
            if (more.empty()) return {};
            out += more;
        }
        return out;
    }
    void sleep(std::chrono::milliseconds time) const {
        const auto end = std::chrono::steady_clock::now() + time;
        while (!over_ && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    // Until the other side closes, or the server is to end.
    void wait_for_close() const {
        while (!receive().empty()) {
        }
    }
    void reset_on_close() const {
        const linger at_once{1, 0};
        setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }

private:
    int fd_;
    int number_;
    const std::atomic<bool>& over_;
};

class HostileServer {
public:
    using Serve = std::function<void(const Client&)>;

    explicit HostileServer(Serve serve) : serve_(std::move(serve)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        auto* name = reinterpret_cast<sockaddr*>(&address);
        if (::bind(listener_, name, length) < 0 || ::listen(listener_, 64) < 0 ||
            ::getsockname(listener_, name, &length) < 0)
            throw std::runtime_error("no listener on loopback");
        port_ = ntohs(address.sin_port);
        accepting_ = std::thread([this] { accept_all(); });
    }
    ~HostileServer() {
        over_ = true;
        ::shutdown(listener_, SHUT_RDWR);
        accepting_.join();
        {
            const std::lock_guard lock(mutex_);
            for (const int fd : open_)
                ::shutdown(fd, SHUT_RDWR);
        }
        for (std::thread& thread : serving_)
            thread.join();
        ::close(listener_);
    }
    HostileServer(const HostileServer&) = delete;
    HostileServer& operator=(const HostileServer&) = delete;

    std::uint16_t port() const { return port_; }
    int connections() const { return accepted_; }

private:
    void accept_all() {
        while (!over_) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) return;
            // What is sent before a reset must not be held back, or it is never seen.
            const int at_once = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
            const int number = accepted_++;
            const std::lock_guard lock(mutex_);
            open_.push_back(fd);
            serving_.emplace_back([this, fd, number] {
                serve_(Client(fd, number, over_));
                const std::lock_guard own_lock(mutex_);
                std::erase(open_, fd);
                ::close(fd);
            });
        }
    }

    Serve serve_;
    int listener_;
    std::uint16_t port_ = 0;
    std::atomic<bool> over_{false};
    std::atomic<int> accepted_{0};
    std::mutex mutex_;
    std::vector<int> open_;
    std::vector<std::thread> serving_;
    std::thread accepting_;
};

}  // namespace bascule::health
