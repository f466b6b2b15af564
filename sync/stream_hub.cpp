// SPDX-License-Identifier: Apache-2.0
#include "sync/stream_hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <map>
#include <stdexcept>
#include <utility>

#include "sync/endpoints.h"
#include "sync/hello_check.h"

namespace bascule::sync {

namespace {

namespace asio = boost::asio;

Moment now() {
    return std::chrono::steady_clock::now();
}

std::shared_ptr<const TlsContexts> contexts(const PeerStreamsOptions& options,
                                            const ClusterKeys& keys) {
    std::vector<std::string> peers;
    for (const model::ClusterNodeConfig& node : options.cluster.nodes) {
        if (node.name != options.self) peers.push_back(node.name);
    }
    return std::make_shared<TlsContexts>(keys, options.cluster.name, options.self,
                                         std::move(peers));
}

std::shared_ptr<StreamConnection> take_from(std::vector<std::shared_ptr<StreamConnection>>& list,
                                            const StreamConnection& connection) {
    const auto found =
        std::ranges::find(list, &connection, [](const auto& one) { return one.get(); });
    if (found == list.end()) return nullptr;
    auto out = std::move(*found);
    list.erase(found);
    return out;
}

}  // namespace

PeerStreams::Impl::Impl(asio::io_context& io, PeerStreamsOptions options, const ClusterKeys& keys,
                        StreamUser& user)
    : io_(io), options_(std::move(options)), user_(user), tls_(contexts(options_, keys)) {
    const model::ClusterNodeConfig* self = options_.cluster.find(options_.self);
    if (!self) throw std::logic_error("streams of a node that is none of its cluster");
    own_ = self->addresses;
    for (const model::ClusterNodeConfig& node : options_.cluster.nodes) {
        if (node.name != options_.self) add_peer(node);
    }
    const bool awaited = std::ranges::any_of(peers_, [](const Peer& p) { return !p.dialler; });
    if (awaited)
        listener_ = std::make_unique<StreamListener>(
            io_, own_, [this](asio::ip::tcp::socket socket, std::size_t path) {
                on_accepted(std::move(socket), path);
            });
    for (const Peer& peer : peers_) {
        if (peer.dialler) peer.dialler->start();
    }
}

PeerStreams::Impl::~Impl() {
    listener_.reset();
    for (Peer& peer : peers_) {
        peer.dialler.reset();
        if (peer.attempt) peer.attempt->abandon();
        if (peer.stream) peer.stream->abandon();
    }
    for (const auto* list : {&strangers_, &leaving_}) {
        for (const Connection& connection : *list)
            connection->abandon();
    }
}

void PeerStreams::Impl::add_peer(const model::ClusterNodeConfig& node) {
    const std::size_t index = peers_.size();
    Peer& peer = peers_.emplace_back();
    peer.name = peer.view.peer = node.name;
    peer.endpoints = node.addresses;
    peer.view.since = now();
    if (node.name < options_.self) {
        peer.view.problem = "has not connected yet";
        return;
    }
    peer.view.problem = "not connected yet";
    StreamDialler::User user{
        .on_connected = [this, index](
                            asio::ip::tcp::socket socket,
                            std::size_t path) { on_dialled(index, std::move(socket), path); },
        .on_problem = [this,
                       index](const std::string& problem) { peers_[index].view.problem = problem; },
        .give_up = [this, index] { give_up(index); }};
    peer.dialler = std::make_unique<StreamDialler>(io_, own_, node.addresses, options_.limits,
                                                   std::move(user));
}

void PeerStreams::Impl::set_keys(const ClusterKeys& keys) {
    tls_ = contexts(options_, keys);
}

void PeerStreams::Impl::set_path_alive(std::size_t peer, std::size_t path, bool alive) {
    if (peers_.at(peer).dialler) peers_[peer].dialler->set_alive(path, alive);
}

// ---- connections that begin
// ----------------------------------------------------------------------

void PeerStreams::Impl::on_dialled(std::size_t index, asio::ip::tcp::socket socket,
                                   std::size_t path) {
    Peer& peer = peers_[index];
    auto tls = tls_->client(socket.native_handle(), peer.name);
    peer.attempt = std::make_shared<StreamConnection>(std::move(socket), std::move(tls),
                                                      options_.limits, path, *this);
    const Connection attempt = peer.attempt;
    attempt->start();
}

void PeerStreams::Impl::give_up(std::size_t index) {
    const Connection attempt = std::exchange(peers_[index].attempt, nullptr);
    if (!attempt) return;
    attempt->abandon();
    peers_[index].dialler->failed(attempt->path());
}

// Peers come from the addresses that the configuration has for them; nobody else is listened to.
void PeerStreams::Impl::on_accepted(asio::ip::tcp::socket socket, std::size_t path) {
    boost::system::error_code code;
    const auto from = endpoint_of(socket.remote_endpoint(code));
    if (code || !peer_at(from.address, path)) {
        ++stranger_count_;
        return;
    }
    make_room();
    auto tls = tls_->server(socket.native_handle());
    strangers_.push_back(std::make_shared<StreamConnection>(std::move(socket), std::move(tls),
                                                            options_.limits, path, *this));
    const Connection stranger = strangers_.back();
    stranger->start();
}

// The oldest of the address that has most goes: who holds many connections open keeps nobody else
// from coming in.
void PeerStreams::Impl::make_room() {
    if (strangers_.size() < options_.limits.most_strangers) return;
    std::map<Address, std::size_t> counts;
    for (const Connection& one : strangers_)
        ++counts[one->remote().address];
    const auto count = [&](const Connection& one) { return counts[one->remote().address]; };
    const auto most = std::ranges::max_element(strangers_, {}, count);
    const Connection oldest = *most;
    strangers_.erase(most);
    oldest->abandon();
    ++stranger_count_;
}

std::optional<std::size_t> PeerStreams::Impl::peer_at(const Address& address,
                                                      std::size_t path) const {
    for (std::size_t i = 0; i < peers_.size(); ++i) {
        if (!peers_[i].dialler && peers_[i].endpoints[path].address == address) return i;
    }
    return std::nullopt;
}

std::size_t PeerStreams::Impl::index_of(const StreamConnection& connection) const {
    return static_cast<std::size_t>(std::ranges::find(peers_, connection.peer(), &Peer::name) -
                                    peers_.begin());
}

std::string PeerStreams::Impl::between(std::size_t peer, std::size_t path) const {
    return own_[path].to_string() + " to " + peers_[peer].endpoints[path].to_string();
}

void PeerStreams::Impl::on_secured(StreamConnection& connection) {
    const std::size_t index = index_of(connection);
    Peer& peer = peers_[index];
    if (!peer.dialler) return;  // who connects speaks first
    // What the hello says was received must not grow behind its back.
    if (peer.stream) peer.stream->finish("goes on by " + between(index, connection.path()));
    connection.send_hello(user_.hello(index));
}

Result<void> PeerStreams::Impl::on_hello(StreamConnection& connection, const Hello& theirs) {
    const std::size_t index = index_of(connection);
    Peer& peer = peers_[index];
    if (auto fine = check_hello(theirs, options_.cluster.name, options_.self, peer.name); !fine)
        return fine;
    if (peer.dialler) {
        adopt(index, std::exchange(peer.attempt, nullptr), theirs);
        return {};
    }
    if (peer.stream) peer.stream->finish("a newer stream has taken its place");
    const Connection own = take_from(strangers_, connection);
    connection.send_hello(user_.hello(index));
    adopt(index, own, theirs);
    return {};
}

void PeerStreams::Impl::adopt(std::size_t index, Connection connection, const Hello& theirs) {
    if (!connection) return;  // its user has closed all when it heard of the older one's end
    Peer& peer = peers_[index];
    const std::size_t path = connection->path();
    peer.stream = std::move(connection);
    peer.view.path = between(index, path);
    peer.view.path_index = path;
    peer.view.since = now();
    ++peer.view.connects;
    peer.stream->open();
    if (peer.dialler) peer.dialler->stands(path);
    user_.on_connected(index, theirs);
}

// ---- what streams say
// ----------------------------------------------------------------------------

Result<void> PeerStreams::Impl::on_message(StreamConnection& connection,
                                           const StreamMessage& message) {
    return user_.on_message(index_of(connection), message);
}

Frame PeerStreams::Impl::next_frame(StreamConnection& connection) {
    return user_.next_frame(index_of(connection));
}

void PeerStreams::Impl::on_answer(StreamConnection& connection, const Pong& pong, Moment asked) {
    user_.on_answer(index_of(connection), pong, asked);
}

std::optional<std::string> PeerStreams::Impl::answer_to(StreamConnection& connection) {
    return user_.answer_to(index_of(connection));
}

// ---- connections that end
// ------------------------------------------------------------------------

void PeerStreams::Impl::on_ended(StreamConnection& connection, StreamConnection::End end,
                                 const std::string& why) {
    if (const Connection stranger = take_from(strangers_, connection)) {
        let_leave(stranger);
        return on_stranger_ended(connection, end, why);
    }
    const std::size_t index = index_of(connection);
    Peer& peer = peers_[index];
    if (peer.stream.get() == &connection) {
        let_leave(peer.stream);
        return on_stream_ended(index, why);
    }
    let_leave(std::exchange(peer.attempt, nullptr));
    peer.view.problem = peer.endpoints[connection.path()].to_string() + ": " + why;
    if (end == StreamConnection::End::refused) ++peer.view.refused;
    peer.dialler->failed(connection.path());
}

void PeerStreams::Impl::on_stream_ended(std::size_t index, const std::string& why) {
    Peer& peer = peers_[index];
    const Connection stream = std::exchange(peer.stream, nullptr);
    const Nanoseconds stood = now() - peer.view.since;
    peer.view.bytes_sent += stream->traffic().bytes_sent;
    peer.view.bytes_received += stream->traffic().bytes_received;
    peer.view.unknown += stream->traffic().unknown;
    peer.view.problem = peer.endpoints[stream->path()].to_string() + ": " + why;
    peer.view.since = now();
    if (peer.dialler) peer.dialler->lost(stream->path(), stood);
    user_.on_disconnected(index, why);
}

void PeerStreams::Impl::on_stranger_ended(StreamConnection& connection, StreamConnection::End end,
                                          const std::string& why) {
    ++stranger_count_;
    if (end != StreamConnection::End::refused) return;
    // By its key, or, when it has shown none, by where it came from.
    const auto index = connection.peer().empty()
                           ? peer_at(connection.remote().address, connection.path())
                           : index_of(connection);
    if (!index) return;
    Peer& peer = peers_[*index];
    ++peer.view.refused;
    if (!peer.stream) peer.view.problem = connection.remote().to_string() + ": " + why;
}

// As many as there may be strangers: a peer that comes and goes all the time holds no more.
void PeerStreams::Impl::let_leave(Connection connection) {
    if (leaving_.size() >= options_.limits.most_strangers) {
        leaving_.front()->abandon();
        leaving_.erase(leaving_.begin());
    }
    leaving_.push_back(std::move(connection));
}

void PeerStreams::Impl::on_gone(StreamConnection& connection) {
    take_from(leaving_, connection);
    if (on_closed_ && leaving_.empty()) asio::post(io_, std::exchange(on_closed_, nullptr));
}

void PeerStreams::Impl::close(std::function<void()> done) {
    listener_.reset();
    for (Peer& peer : peers_) {
        if (peer.dialler) peer.dialler->stop();
        if (const Connection attempt = std::exchange(peer.attempt, nullptr)) attempt->abandon();
    }
    for (const Connection& stranger : std::exchange(strangers_, {}))
        stranger->abandon();
    for (const Peer& peer : peers_) {
        if (const Connection stream = peer.stream) stream->finish(options_.self + " leaves");
    }
    if (leaving_.empty())
        asio::post(io_, std::move(done));
    else
        on_closed_ = std::move(done);
}

StreamsView PeerStreams::Impl::view() const {
    StreamsView out{.peers = {}, .strangers = stranger_count_, .problems = {}};
    if (listener_) out.problems = listener_->problems();
    for (const Peer& peer : peers_) {
        StreamView& one = out.peers.emplace_back(peer.view);
        one.connected = peer.stream != nullptr;
        if (!one.connected) continue;
        one.problem.clear();
        one.bytes_sent += peer.stream->traffic().bytes_sent;
        one.bytes_received += peer.stream->traffic().bytes_received;
        one.unknown += peer.stream->traffic().unknown;
    }
    return out;
}

}  // namespace bascule::sync
