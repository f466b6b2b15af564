// SPDX-License-Identifier: Apache-2.0
#include "sync/heartbeat_socket.h"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/ip.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sync/socket_address.h"
#include "sync/source_filter.h"

namespace bascule::sync {
namespace {

constexpr std::size_t batches_a_turn = 4;
constexpr std::size_t datagrams_a_millisecond = 100;
constexpr std::size_t least_in_interval = 1000;
constexpr int receive_buffer = 4 << 20;  // bytes: some thousand datagrams
constexpr int network_control = 0xc0;    // DSCP CS6: routing protocols and the like

Result<Descriptor> udp_socket(int family) {
    Descriptor out(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!out) return failure(Error::system("no UDP socket", errno));
    return out;
}

void set(int socket, int level, int option, int value) {
    ::setsockopt(socket, level, option, &value, sizeof value);
}

// What helps; it works without, so errors do not matter.
void tune(int socket, int family) {
    set(socket, SOL_SOCKET, SO_RCVBUF, receive_buffer);
    set(socket, SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer);  // beyond the limit, for who may
    if (family == AF_INET)
        set(socket, IPPROTO_IP, IP_TOS, network_control);
    else
        set(socket, IPPROTO_IPV6, IPV6_TCLASS, network_control);
}

std::string not_of_this_host(const Address& address) {
    return address.to_string() + " is not an address of this host";
}

std::string bind_problem(const model::Endpoint& own, int code) {
    if (code == EADDRNOTAVAIL) return not_of_this_host(own.address);
    if (code == EADDRINUSE) return "another program has UDP " + own.to_string();
    return Error::system("cannot listen at UDP " + own.to_string(), code).text();
}

// Asks the kernel as a program would that wants to use it. An error of another kind is no answer.
bool has_left_host(const Address& address) {
    const SocketAddress any_port = socket_address({address, 0});
    const auto probe = udp_socket(any_port.family());
    return probe && ::bind(probe->get(), any_port.get(), any_port.length) != 0 &&
           errno == EADDRNOTAVAIL;
}

bool is_want_of_room(int code) {
    return code == EAGAIN || code == EWOULDBLOCK || code == ENOBUFS || code == ENOMEM;
}

std::size_t most_in(Nanoseconds interval) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(interval);
    return std::max(least_in_interval,
                    datagrams_a_millisecond * static_cast<std::size_t>(milliseconds.count()));
}

}  // namespace

DatagramBatch::DatagramBatch() {
    for (std::size_t i = 0; i < most; ++i) {
        parts_[i] = {rooms_[i].data(), rooms_[i].size()};
        headers_[i].msg_hdr.msg_iov = &parts_[i];
        headers_[i].msg_hdr.msg_iovlen = 1;
        headers_[i].msg_hdr.msg_name = &sources_[i];
    }
}

std::size_t DatagramBatch::receive(int socket) {
    for (mmsghdr& header : headers_)
        header.msg_hdr.msg_namelen = sizeof(sockaddr_storage);
    const int count = ::recvmmsg(socket, headers_.data(), most, MSG_DONTWAIT, nullptr);
    return count < 0 ? 0 : static_cast<std::size_t>(count);
}

std::span<const std::uint8_t> DatagramBatch::datagram(std::size_t index) const {
    return std::span(rooms_[index]).first(headers_[index].msg_len);
}

model::Endpoint DatagramBatch::source(std::size_t index) const {
    return endpoint_of(sources_[index]);
}

HeartbeatSocket::HeartbeatSocket(model::Endpoint own, std::vector<model::Endpoint> peers,
                                 Nanoseconds interval)
    : peers_(std::move(peers)),
      most_in_interval_(most_in(interval)),
      left_(most_in_interval_),
      send_errors_(peers_.size(), 0) {
    state_.own = own;
}

Result<Descriptor> HeartbeatSocket::open() const {
    const SocketAddress own = socket_address(state_.own);
    auto out = udp_socket(own.family());
    if (!out) return out;
    tune(out->get(), own.family());
    if (own.family() == AF_INET6) set(out->get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    // Before it is bound: nothing of a stranger gets in between.
    if (auto filtered = accept_only(out->get(), peers_); !filtered)
        return failure(std::move(filtered).error());
    if (::bind(out->get(), own.get(), own.length) != 0)
        return failure(bind_problem(state_.own, errno));
    return out;
}

void HeartbeatSocket::close(std::string problem) {
    count_drops();
    socket_.reset();
    drops_seen_ = 0;
    std::fill(send_errors_.begin(), send_errors_.end(), 0);
    state_.problem = std::move(problem);
}

void HeartbeatSocket::look_after() {
    if (socket_ && has_left_host(state_.own.address))
        return close(not_of_this_host(state_.own.address));
    if (socket_) return;
    auto opened = open();
    if (!opened) return close(opened.error().text());
    socket_ = std::move(*opened);
    state_.problem.clear();
}

void HeartbeatSocket::refill() {
    left_ = most_in_interval_;
}

int HeartbeatSocket::readable() const {
    return left_ > 0 ? socket_.get() : -1;
}

void HeartbeatSocket::read(DatagramBatch& batch, const Take& take, bool announced) {
    for (std::size_t turn = 0; turn < batches_a_turn && readable() >= 0; ++turn) {
        const std::size_t count = batch.receive(socket_.get());
        const bool in_vain = announced && turn == 0 && count == 0;
        left_ -= std::min(left_, in_vain ? DatagramBatch::most : count);
        state_.datagrams += count;
        for (std::size_t i = 0; i < count; ++i) {
            const auto peer = std::find(peers_.begin(), peers_.end(), batch.source(i));
            if (peer == peers_.end())
                ++state_.from_strangers;  // the filter in the kernel is expected to have it
            else
                take(static_cast<std::size_t>(peer - peers_.begin()), batch.datagram(i));
        }
        if (count < DatagramBatch::most) return;
    }
}

bool HeartbeatSocket::send(std::size_t peer, std::span<const std::uint8_t> datagram) {
    if (!socket_) return false;
    if (datagram.empty()) {
        ++state_.send_errors;
        return false;
    }
    const SocketAddress to = socket_address(peers_[peer]);
    if (::sendto(socket_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                 to.get(), to.length) >= 0) {
        send_errors_[peer] = 0;
        return true;
    }
    const int code = errno;
    ++state_.send_errors;
    // A full queue is nobody's fault; the next one may get through.
    if (is_want_of_room(code)) return false;
    // That this node's own address has gone is such an error, too.
    if (std::exchange(send_errors_[peer], code) != code) look_after();
    return false;
}

// By the kernel: what its filter refused, and what found the buffer full.
void HeartbeatSocket::count_drops() {
    std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
    socklen_t size = sizeof memory;
    if (!socket_ ||
        ::getsockopt(socket_.get(), SOL_SOCKET, SO_MEMINFO, memory.data(), &size) != 0 ||
        size <= SK_MEMINFO_DROPS * sizeof(std::uint32_t))
        return;
    const std::uint32_t drops = memory[SK_MEMINFO_DROPS];
    state_.from_strangers += drops - std::exchange(drops_seen_, drops);  // modulo 2^32
}

std::string HeartbeatSocket::send_problem() const {
    for (std::size_t peer = 0; peer < peers_.size(); ++peer) {
        const int code = send_errors_[peer];
        if (code != 0)
            return Error::system("cannot send to UDP " + peers_[peer].to_string(), code).text();
    }
    return {};
}

PathState HeartbeatSocket::state() {
    count_drops();
    PathState out = state_;
    if (socket_) out.problem = send_problem();
    return out;
}

}  // namespace bascule::sync
