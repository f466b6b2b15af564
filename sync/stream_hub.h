// SPDX-License-Identifier: Apache-2.0
// What PeerStreams does: one stream with each peer, made by its dialler or by the listener, and who
// is interested in it.
//
// Of two connections of a peer the newer one is the stream, once its handshake and hello are done:
// who has the key is the peer, and knows best. Until then a connection is an attempt (ours) or a
// stranger. Thread: the io_context's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sync/stream_connection.h"
#include "sync/stream_dialler.h"
#include "sync/stream_listener.h"

namespace bascule::sync {

struct PeerStreams::Impl final : StreamConnection::Owner {
public:
    using Connection = std::shared_ptr<StreamConnection>;

    Impl(boost::asio::io_context& io, PeerStreamsOptions options, const ClusterKeys& keys,
         StreamUser& user);
    ~Impl() override;

    void set_keys(const ClusterKeys& keys);
    StreamConnection* stream(std::size_t peer) const { return peers_.at(peer).stream.get(); }
    void set_path_alive(std::size_t peer, std::size_t path, bool alive);
    void close(std::function<void()> done);
    StreamsView view() const;

private:
    struct Peer {
        std::string name;
        std::vector<model::Endpoint> endpoints;
        std::unique_ptr<StreamDialler> dialler;  // none: this peer connects
        Connection attempt;                      // of the dialler
        Connection stream;
        StreamView view;  // of what has ended; what `stream` has counted is to be added
    };

    void add_peer(const model::ClusterNodeConfig& node);
    void on_dialled(std::size_t peer, boost::asio::ip::tcp::socket socket, std::size_t path);
    void on_accepted(boost::asio::ip::tcp::socket socket, std::size_t path);
    void make_room();
    void give_up(std::size_t peer);
    void let_leave(Connection connection);
    void adopt(std::size_t peer, Connection connection, const Hello& theirs);
    std::optional<std::size_t> peer_at(const Address& address, std::size_t path) const;
    std::string between(std::size_t peer, std::size_t path) const;
    std::size_t index_of(const StreamConnection& connection) const;

    void on_secured(StreamConnection& connection) override;
    Result<void> on_hello(StreamConnection& connection, const Hello& theirs) override;
    Result<void> on_message(StreamConnection& connection, const StreamMessage& message) override;
    Frame next_frame(StreamConnection& connection) override;
    void on_answer(StreamConnection& connection, const Pong& pong, Moment asked) override;
    std::optional<std::string> answer_to(StreamConnection& connection) override;
    void on_ended(StreamConnection& connection, StreamConnection::End end,
                  const std::string& why) override;
    void on_gone(StreamConnection& connection) override;
    void on_stream_ended(std::size_t peer, const std::string& why);
    void on_stranger_ended(StreamConnection& connection, StreamConnection::End end,
                           const std::string& why);

    boost::asio::io_context& io_;
    PeerStreamsOptions options_;
    std::vector<model::Endpoint> own_;
    StreamUser& user_;
    std::shared_ptr<const TlsContexts> tls_;
    std::vector<Peer> peers_;
    std::vector<Connection> strangers_;  // oldest first
    std::vector<Connection> leaving_;    // ended; their Bye is under way
    std::uint64_t stranger_count_ = 0;
    std::function<void()> on_closed_;
    std::unique_ptr<StreamListener> listener_;
};

}  // namespace bascule::sync
