// SPDX-License-Identifier: Apache-2.0
// A bounded flood of UDP datagrams, and a listener that measures when heartbeats leave.
#pragma once

#include <linux/ip.h>
#include <linux/udp.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "sync/socket_address.h"

namespace bascule::sync {

// Sends one datagram again and again, so many a second, from its making until stop().
class Flood {
public:
    // From addresses of strangers: each of `from` has a socket of its own.
    static std::vector<Descriptor> strangers(const std::vector<model::Endpoint>& from) {
        std::vector<Descriptor> out;
        for (const model::Endpoint& endpoint : from) {
            Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
            const SocketAddress address = socket_address(endpoint);
            if (::bind(socket.get(), address.get(), address.length) == 0)
                out.push_back(std::move(socket));
        }
        return out;
    }
    // For datagrams that bring an IP header of their own; none without the right to do so.
    static std::vector<Descriptor> forger() {
        std::vector<Descriptor> out;
        Descriptor socket(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
        if (socket) out.push_back(std::move(socket));
        return out;
    }
    // A datagram with IP and UDP headers, as if `from` had sent it. IPv4.
    static std::vector<std::uint8_t> forged(const model::Endpoint& from, const model::Endpoint& to,
                                            const std::vector<std::uint8_t>& data) {
        iphdr ip{};
        ip.version = 4;
        ip.ihl = 5;
        ip.ttl = 64;
        ip.protocol = IPPROTO_UDP;
        ip.saddr = from.address.v4_wire();
        ip.daddr = to.address.v4_wire();
        udphdr udp{};
        udp.source = htons(from.port);
        udp.dest = htons(to.port);
        udp.len = htons(static_cast<std::uint16_t>(sizeof udp + data.size()));
        std::vector<std::uint8_t> out(sizeof ip + sizeof udp + data.size());
        std::memcpy(out.data(), &ip, sizeof ip);  // the kernel adds length and checksum
        std::memcpy(out.data() + sizeof ip, &udp, sizeof udp);
        std::copy(data.begin(), data.end(), out.begin() + sizeof ip + sizeof udp);
        return out;
    }

    Flood(std::vector<Descriptor> sockets, const model::Endpoint& to,
          std::vector<std::uint8_t> datagram, std::size_t per_second)
        : sockets_(std::move(sockets)),
          to_(socket_address(to)),
          datagram_(std::move(datagram)),
          per_second_(per_second),
          thread_([this] { run(); }) {}
    Flood(const Flood&) = delete;
    Flood& operator=(const Flood&) = delete;
    ~Flood() { stop(); }

    // How many have been sent.
    std::size_t stop() {
        stopped_ = true;
        if (thread_.joinable()) thread_.join();
        return sent_;
    }

private:
    void run() {
        using Clock = std::chrono::steady_clock;
        const auto begin = Clock::now();
        while (!stopped_) {
            const std::chrono::duration<double> passed = Clock::now() - begin;
            const auto due =
                static_cast<std::size_t>(passed.count() * static_cast<double>(per_second_));
            if (sent_ >= due)
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            else
                send_some();
        }
    }
    void send_some() {
        constexpr std::size_t at_once = 32;
        iovec part{datagram_.data(), datagram_.size()};
        std::array<mmsghdr, at_once> headers{};
        for (mmsghdr& header : headers) {
            header.msg_hdr.msg_name = &to_.storage;
            header.msg_hdr.msg_namelen = to_.length;
            header.msg_hdr.msg_iov = &part;
            header.msg_hdr.msg_iovlen = 1;
        }
        const Descriptor& socket = sockets_[turn_++ % sockets_.size()];
        const int count = ::sendmmsg(socket.get(), headers.data(), at_once, 0);
        if (count > 0) sent_ += static_cast<std::size_t>(count);
    }

    std::vector<Descriptor> sockets_;
    SocketAddress to_;
    std::vector<std::uint8_t> datagram_;
    std::size_t per_second_;
    std::size_t turn_ = 0;
    std::size_t sent_ = 0;
    std::atomic<bool> stopped_{false};
    std::thread thread_;
};

// Stands at a node's address and says nothing. The kernel notes when each datagram came, so the
// gaps are not this reader's.
class Listener {
public:
    explicit Listener(const model::Endpoint& at)
        : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
        const SocketAddress address = socket_address(at);
        const int on = 1;
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
        ready_ = ::bind(socket_.get(), address.get(), address.length) == 0;
    }
    bool ready() const { return ready_; }

    // Of all that has come from there since the last call. In seconds.
    std::vector<double> arrivals(const model::Endpoint& from) {
        std::vector<double> out;
        while (true) {
            std::array<char, 2048> room;
            alignas(cmsghdr) std::array<char, 256> control;
            iovec part{room.data(), room.size()};
            sockaddr_storage source{};
            msghdr message{};
            message.msg_name = &source;
            message.msg_namelen = sizeof source;
            message.msg_iov = &part;
            message.msg_iovlen = 1;
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            if (::recvmsg(socket_.get(), &message, 0) < 0) return out;
            if (endpoint_of(source) != from) continue;
            for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
                 head = CMSG_NXTHDR(&message, head)) {
                timespec time{};
                if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SO_TIMESTAMPNS) continue;
                std::memcpy(&time, CMSG_DATA(head), sizeof time);
                out.push_back(static_cast<double>(time.tv_sec) +
                              1e-9 * static_cast<double>(time.tv_nsec));
            }
        }
    }

private:
    Descriptor socket_;
    bool ready_ = false;
};

}  // namespace bascule::sync
