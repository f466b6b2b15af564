// SPDX-License-Identifier: Apache-2.0
// A UDP server on loopback that answers each datagram with those that a test says. It has a thread
// of its own, and ends with its object.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace bascule::health {

class DatagramServer {
public:
    using Answer = std::function<std::vector<std::string>(const std::string& datagram)>;

    // `port` 0: any.
    explicit DatagramServer(Answer answer, int family = AF_INET, std::uint16_t port = 0)
        : answer_(std::move(answer)), fd_(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        auto* const v4 = reinterpret_cast<sockaddr_in*>(&address);
        auto* const v6 = reinterpret_cast<sockaddr_in6*>(&address);
        address.ss_family = static_cast<sa_family_t>(family);
        v4->sin_port = htons(port);  // stands at the same place in both
        if (family == AF_INET) {
            v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        } else {
            v6->sin6_addr = in6addr_loopback;
        }
        auto* const name = reinterpret_cast<sockaddr*>(&address);
        if (::bind(fd_, name, family == AF_INET ? sizeof *v4 : sizeof *v6) != 0 ||
            ::getsockname(fd_, name, &length) != 0)
            throw std::runtime_error("no UDP port on loopback");
        port_ = ntohs(v4->sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~DatagramServer() {
        over_ = true;
        thread_.join();
        ::close(fd_);
    }
    DatagramServer(const DatagramServer&) = delete;
    DatagramServer& operator=(const DatagramServer&) = delete;

    std::uint16_t port() const { return port_; }

private:
    void serve() {
        while (!over_) {
            pollfd waiting{fd_, POLLIN, 0};
            if (::poll(&waiting, 1, 20) <= 0) continue;
            std::string datagram(65536, '\0');
            sockaddr_storage from{};
            socklen_t length = sizeof from;
            auto* const name = reinterpret_cast<sockaddr*>(&from);
            const ssize_t size =
                ::recvfrom(fd_, datagram.data(), datagram.size(), 0, name, &length);
            if (size < 0) continue;
            datagram.resize(static_cast<std::size_t>(size));
            for (const auto& answer : answer_(datagram))
                ::sendto(fd_, answer.data(), answer.size(), 0, name, length);
        }
    }

    Answer answer_;
    int fd_;
    std::uint16_t port_ = 0;
    std::atomic<bool> over_{false};
    std::thread thread_;
};

}  // namespace bascule::health
