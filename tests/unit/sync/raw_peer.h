// SPDX-License-Identifier: Apache-2.0
// A client of a listener that does what it likes: a socket, with TLS on it or without.
#pragma once

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sync/codec.h"
#include "sync/framing.h"
#include "sync/socket_address.h"
#include "sync/tls.h"
#include "tests/unit/sync/stream_scene.h"
#include "tests/unit/sync/wire_bytes.h"

namespace bascule::sync::test {

class RawPeer {
public:
    RawPeer(const Address& from, const model::Endpoint& to, int receive_buffer = 0)
        : fd_(::socket(to.address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const int at_once = 1;
        setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
        if (receive_buffer > 0)
            setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        const SocketAddress source = socket_address({from, 0});
        const SocketAddress target = socket_address(to);
        if (fd_ < 0 || ::bind(fd_, source.get(), source.length) != 0 ||
            ::connect(fd_, target.get(), target.length) != 0)
            throw std::runtime_error("a raw peer cannot connect");
        fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
    }
    ~RawPeer() {
        tls_.reset();
        ::close(fd_);
    }
    RawPeer(const RawPeer&) = delete;
    RawPeer& operator=(const RawPeer&) = delete;

    // TLS as `contexts` has it, and nothing more.
    bool shake_hands(StreamScene& scene, const std::shared_ptr<const TlsContexts>& contexts,
                     const std::string& peer) {
        tls_ = contexts->client(fd_, peer);
        auto step = TlsSession::Step::want_read;
        scene.until([&] {
            if (wants(step)) step = tls_->handshake();
            return !wants(step);
        });
        return step == TlsSession::Step::done;
    }

    // As the node `name` of the scene, with hello and all, until the other side's hello is there.
    bool enter(StreamScene& scene, std::size_t node, std::size_t peer) {
        std::vector<std::string> names;
        for (const auto& one : scene.cluster.nodes)
            names.push_back(one.name);
        const std::string self = names.at(node - 1);
        const auto contexts = std::make_shared<TlsContexts>(keys_of({1}), "shop", self, names);
        if (!shake_hands(scene, contexts, names.at(peer - 1))) return false;
        write(*encode(Hello{.cluster = "shop", .node = self, .incarnation = 5, .release = "raw"}));
        return scene.until([&] {
            const auto said = read_message();
            return said && std::holds_alternative<Hello>(*said);
        });
    }

    void send_plain(std::string_view bytes) {
        if (::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0)
            throw std::runtime_error("a raw peer cannot send");
    }
    // False: not all of it.
    bool write(const std::string& bytes) {
        std::size_t count = 0;
        return tls_->write(bytes_of(bytes), count) == TlsSession::Step::done &&
               count == bytes.size();
    }

    // The next message, if one is there; ended() tells the end.
    std::optional<StreamMessage> read_message() {
        for (;;) {
            const auto frame = reader_.next();
            if (frame && *frame) return decode(**frame).value();
            std::array<std::uint8_t, 4096> buffer{};
            std::size_t count = 0;
            const auto step = tls_->read(buffer, count);
            if (step != TlsSession::Step::done) {
                ended_ = ended_ || !wants(step);
                return std::nullopt;
            }
            reader_.push(std::span(buffer).first(count));
        }
    }
    bool ended() const { return ended_; }
    // Without TLS: the other side has closed.
    bool closed() const {
        char byte = 0;
        const ssize_t count = ::recv(fd_, &byte, 1, MSG_DONTWAIT);
        return count == 0 || (count < 0 && errno == ECONNRESET);
    }
    // Reads at most so many bytes of what is on the wire; throws them away.
    void skim(std::size_t most) {
        std::string bytes(most, '\0');
        (void)!::recv(fd_, bytes.data(), most, MSG_DONTWAIT);
    }
    // Why the other side said Bye, once it has; empty when it ended without.
    std::string last_words(StreamScene& scene) {
        std::string out;
        scene.until([&] {
            while (const auto said = read_message()) {
                if (const auto* bye = std::get_if<Bye>(&*said)) out = bye->why;
            }
            return ended();
        });
        return out;
    }

private:
    int fd_;
    std::unique_ptr<TlsSession> tls_;
    FrameReader reader_;
    bool ended_ = false;
};

}  // namespace bascule::sync::test
