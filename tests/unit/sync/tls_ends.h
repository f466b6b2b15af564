// SPDX-License-Identifier: Apache-2.0
// Both ends of a TLS connection in one thread, over a pair of sockets.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "sync/tls.h"

namespace bascule::sync::test {

inline SecretKey secret(std::uint8_t seed) {
    SecretKey out{};
    out.fill(seed);
    return out;
}

// Keys in this order; each is told by one number.
inline ClusterKeys keys_of(std::initializer_list<std::uint8_t> seeds) {
    ClusterKeys out;
    for (const std::uint8_t seed : seeds)
        out.keys.push_back(secret(seed));
    return out;
}

struct SocketPair {
    SocketPair() {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds.data()) != 0)
            throw std::runtime_error("socketpair");
    }
    ~SocketPair() {
        close_one(0);
        close_one(1);
    }
    SocketPair(const SocketPair&) = delete;
    SocketPair& operator=(const SocketPair&) = delete;
    void close_one(std::size_t index) {
        if (fds[index] >= 0) ::close(fds[index]);
        fds[index] = -1;
    }

    std::array<int, 2> fds{-1, -1};
};

inline bool wants(TlsSession::Step step) {
    return step == TlsSession::Step::want_read || step == TlsSession::Step::want_write;
}

struct TlsEnds {
    TlsEnds(const std::shared_ptr<const TlsContexts>& one,
            const std::shared_ptr<const TlsContexts>& other, const std::string& peer)
        : client(one->client(sockets.fds[0], peer)), server(other->server(sockets.fds[1])) {}

    // Until both are done, or one cannot go on; then the other one hears what there is to hear.
    bool shake_hands() {
        auto a = TlsSession::Step::want_read;
        auto b = a;
        for (int round = 0; round < 10; ++round) {
            if (wants(a)) a = client->handshake();
            if (wants(b)) b = server->handshake();
        }
        // A server learns of a client that did not like it by its next word.
        return a == TlsSession::Step::done && b == TlsSession::Step::done;
    }

    SocketPair sockets;
    std::unique_ptr<TlsSession> client;
    std::unique_ptr<TlsSession> server;
};

}  // namespace bascule::sync::test
