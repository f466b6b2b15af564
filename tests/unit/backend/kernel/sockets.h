// SPDX-License-Identifier: Apache-2.0
// Real sockets of servers and clients, blocking, with a limit that only a broken thing meets.
#pragma once

#include <cstdint>
#include <string>

#include "base/address.h"
#include "base/descriptor.h"

namespace bascule::test {

class Socket {
public:
    static Socket udp(const Address& local, std::uint16_t port);
    static Socket listener(const Address& local, std::uint16_t port);
    // -1: nobody came.
    Socket accept() const;
    // errno, 0: connected.
    int connect(const Address& remote, std::uint16_t port) const;
    static Socket tcp(const Address& local, std::uint16_t port);

    // What it sends from now on has none (UDP, IPv4).
    void without_checksums() const;
    void send(const std::string& text) const;
    void send_to(const std::string& text, const Address& remote, std::uint16_t port) const;
    struct Received {
        std::string text;
        Address from;
        std::uint16_t port = 0;
        int error = 0;  // errno; EAGAIN: nothing came
    };
    Received receive(int milliseconds = 20'000) const;
    // Type of service or traffic class of the next datagram; -1: nothing came.
    int receive_mark() const;
    // So many bytes, or what came before the end.
    std::string receive_all(std::size_t bytes) const;
    int mss() const;
    bool is_open() const { return static_cast<bool>(fd_); }

private:
    explicit Socket(int fd) : fd_(fd) {}
    static Socket bound(const Address& local, std::uint16_t port, int type);
    Descriptor fd_;
};

}  // namespace bascule::test
