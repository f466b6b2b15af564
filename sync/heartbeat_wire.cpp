// SPDX-License-Identifier: Apache-2.0
#include "sync/heartbeat_wire.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "model/vip_id.h"
#include "sync/heartbeat_socket.h"

namespace bascule::sync {
namespace {

constexpr std::size_t batches_a_turn = 2;
// Fifteen peers that ask and answer sixteen times in an interval each send less.
constexpr std::size_t frames_in_interval = 512;
constexpr int receive_buffer = 1 << 20;      // bytes
constexpr std::uint32_t magic = 0x42534301;  // what a sealed heartbeat begins with
constexpr std::size_t most_links = model::most_vips;

sock_filter load(unsigned size, int from) {
    return {static_cast<std::uint16_t>(BPF_LD | BPF_ABS | size), 0, 0,
            static_cast<std::uint32_t>(from)};
}

sock_filter skip_if(std::uint32_t value, std::uint8_t then, std::uint8_t otherwise) {
    return {BPF_JMP | BPF_JEQ | BPF_K, then, otherwise, value};
}

sock_filter take_bytes(std::size_t count) {
    return {BPF_RET | BPF_K, 0, 0, static_cast<std::uint32_t>(count)};
}

// Frames to this host, by one of these links, that begin like ours. In place of an earlier filter
// without a gap. The kernel compiles it, so it is made only when links change.
Result<void> accept_ours(int socket, const std::vector<int>& links) {
    std::vector<sock_filter> program{load(BPF_B, SKF_AD_OFF + SKF_AD_PKTTYPE),
                                     skip_if(PACKET_HOST, 1, 0),
                                     take_bytes(0),
                                     load(BPF_W, 0),
                                     skip_if(magic, 1, 0),
                                     take_bytes(0),
                                     load(BPF_W, SKF_AD_OFF + SKF_AD_IFINDEX)};
    for (const int link : links) {
        program.push_back(skip_if(static_cast<std::uint32_t>(link), 0, 1));
        program.push_back(take_bytes(most_datagram + 1));
    }
    program.push_back(take_bytes(0));
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0)
        return failure(Error::system("filter of frames", errno));
    return {};
}

void set(int socket, int option, int value) {
    ::setsockopt(socket, SOL_SOCKET, option, &value, sizeof value);
}

// Where a frame came from; nullopt: not from Ethernet.
std::optional<WirePlace> place_of(const sockaddr_storage& source) {
    sockaddr_ll link{};
    std::memcpy(&link, &source, sizeof link);
    WirePlace place;
    if (link.sll_family != AF_PACKET || link.sll_halen != place.mac.bytes.size())
        return std::nullopt;
    place.ifindex = link.sll_ifindex;
    std::copy_n(std::begin(link.sll_addr), place.mac.bytes.size(), place.mac.bytes.begin());
    return place;
}

}  // namespace

HeartbeatWire::HeartbeatWire(Nanoseconds interval)
    : most_in_interval_(frames_in_interval * static_cast<std::size_t>(std::max<std::int64_t>(
                                                 1, interval / std::chrono::milliseconds(20)))),
      left_(most_in_interval_) {}

Result<Descriptor> HeartbeatWire::open() {
    // Without a protocol nothing comes until it is bound.
    Descriptor out(::socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!out) return failure(Error::system("no packet socket", errno));
    if (auto filtered = accept_ours(out.get(), {}); !filtered)
        return failure(std::move(filtered).error());
    // What helps; it works without.
    set(out.get(), SO_RCVBUF, receive_buffer);
    set(out.get(), SO_RCVBUFFORCE, receive_buffer);  // beyond the limit, for who may
    sockaddr_ll own{};
    own.sll_family = AF_PACKET;
    own.sll_protocol = htons(wire_protocol);
    if (::bind(out.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
        return failure(Error::system("a packet socket cannot be bound", errno));
    return out;
}

void HeartbeatWire::look_after() {
    if (!socket_) {
        auto opened = open();
        state_.problem = opened ? "" : opened.error().text();
        if (opened) socket_ = std::move(*opened);
    }
    find_links();
}

void HeartbeatWire::set_links(std::vector<std::string> names) {
    link_names_ = std::move(names);
    find_links();
}

void HeartbeatWire::find_links() {
    if (!socket_) return;
    std::vector<int> found;
    for (const std::string& name : link_names_) {
        const auto index = static_cast<int>(lookup_.index_of(name));
        const bool known = std::ranges::find(found, index) != found.end();
        if (index != 0 && !known && found.size() < most_links) found.push_back(index);
    }
    state_.problem.clear();
    if (found == links_) return;
    if (auto filtered = accept_ours(socket_.get(), found); filtered)
        links_ = std::move(found);
    else
        state_.problem = filtered.error().text();
}

bool HeartbeatWire::hears(const WirePlace& place) const {
    return std::ranges::find(links_, place.ifindex) != links_.end();
}

void HeartbeatWire::read(DatagramBatch& batch, const Take& take, bool announced) {
    for (std::size_t turn = 0; turn < batches_a_turn && readable() >= 0; ++turn) {
        const std::size_t count = batch.receive(socket_.get());
        const bool in_vain = announced && turn == 0 && count == 0;
        left_ -= std::min(left_, in_vain ? DatagramBatch::most : count);
        for (std::size_t i = 0; i < count; ++i) {
            const auto from = place_of(batch.raw_source(i));
            // It may have been waiting since before its link was another's.
            const bool counts = from && hears(*from);
            ++(counts ? state_.received : state_.dropped);
            if (counts) take(*from, batch.datagram(i));
        }
        if (count < DatagramBatch::most) return;
    }
}

bool HeartbeatWire::send(const WirePlace& to, std::span<const std::uint8_t> datagram) {
    if (!socket_ || datagram.empty()) return false;
    sockaddr_ll link{};
    link.sll_family = AF_PACKET;
    link.sll_protocol = htons(wire_protocol);
    link.sll_ifindex = to.ifindex;
    link.sll_halen = static_cast<unsigned char>(to.mac.bytes.size());
    std::copy(to.mac.bytes.begin(), to.mac.bytes.end(), std::begin(link.sll_addr));
    const bool sent = ::sendto(socket_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT,
                               reinterpret_cast<const sockaddr*>(&link), sizeof link) >= 0;
    ++(sent ? state_.sent : state_.send_errors);
    return sent;
}

// What found the buffer full. Frames that the filter refuses are not counted by a packet socket.
void HeartbeatWire::count_drops() {
    tpacket_stats since{};
    socklen_t size = sizeof since;
    if (socket_ && ::getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &since, &size) == 0)
        state_.dropped += since.tp_drops;
}

WireState HeartbeatWire::state() {
    count_drops();
    return state_;
}

}  // namespace bascule::sync
