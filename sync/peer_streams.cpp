// SPDX-License-Identifier: Apache-2.0
#include "sync/peer_streams.h"

#include <utility>

#include "sync/stream_hub.h"

namespace bascule::sync {

PeerStreams::PeerStreams(boost::asio::io_context& io, PeerStreamsOptions options,
                         const ClusterKeys& keys, StreamUser& user)
    : impl_(std::make_unique<Impl>(io, std::move(options), keys, user)) {}

PeerStreams::~PeerStreams() = default;

void PeerStreams::wake(std::size_t peer) {
    if (StreamConnection* stream = impl_->stream(peer)) stream->wake();
}

void PeerStreams::probe(std::size_t peer) {
    if (StreamConnection* stream = impl_->stream(peer)) stream->probe();
}

void PeerStreams::set_keys(const ClusterKeys& keys) {
    impl_->set_keys(keys);
}

void PeerStreams::set_path_alive(std::size_t peer, std::size_t path, bool alive) {
    impl_->set_path_alive(peer, path, alive);
}

void PeerStreams::disconnect(std::size_t peer, const std::string& why) {
    if (StreamConnection* stream = impl_->stream(peer)) stream->finish(why);
}

void PeerStreams::close(std::function<void()> done) {
    impl_->close(std::move(done));
}

StreamsView PeerStreams::view() const {
    return impl_->view();
}

}  // namespace bascule::sync
