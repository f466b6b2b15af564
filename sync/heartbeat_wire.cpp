// SPDX-License-Identifier: Apache-2.0
#include "sync/heartbeat_wire.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "sync/heartbeat_socket.h"

namespace bascule::sync {
namespace {

constexpr std::size_t batches_a_turn = 2;
// Fifteen peers that ask and answer sixteen times in an interval each send less.
constexpr std::size_t frames_in_interval = 512;
constexpr int receive_buffer = 1 << 20;      // bytes
constexpr std::uint32_t magic = 0x42534301;  // what a sealed heartbeat begins with

// Frames to this host that begin like ours.
Result<void> accept_ours(int socket) {
    std::array<sock_filter, 6> program{{
        {BPF_LD | BPF_B | BPF_ABS, 0, 0, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, PACKET_HOST},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, magic},
        {BPF_RET | BPF_K, 0, 0, most_datagram + 1},
        {BPF_RET | BPF_K, 0, 0, 0},
    }};
    const sock_fprog filter{program.size(), program.data()};
    if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0)
        return failure(Error::system("filter of frames", errno));
    return {};
}

// 0: there is none of that name. Waits for no lock of the network's configuration.
int index_of(int socket, const std::string& name) {
    ifreq request{};
    if (name.empty() || name.size() >= sizeof request.ifr_name) return 0;
    std::copy(name.begin(), name.end(), std::begin(request.ifr_name));
    return ::ioctl(socket, SIOCGIFINDEX, &request) == 0 ? request.ifr_ifindex : 0;
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
    if (auto filtered = accept_ours(out.get()); !filtered)
        return failure(std::move(filtered).error());
    // What helps; it works without.
    ::setsockopt(out.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
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
    links_.clear();
    if (!socket_) return;
    for (const std::string& name : link_names_)
        if (const int index = index_of(socket_.get(), name); index != 0) links_.push_back(index);
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
            const bool counts = from && hears(*from);
            ++(counts ? state_.received : state_.ignored);
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
