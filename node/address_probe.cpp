// SPDX-License-Identifier: Apache-2.0
#include "node/address_probe.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>
#include <span>

#include "node/arp.h"
#include "node/nd.h"

namespace bascule::node {
namespace {

using Bytes = std::span<const std::uint8_t>;
using Descriptor = boost::asio::posix::stream_descriptor;

// Longer than any ARP packet or neighbour message that matters; what is cut off fails to parse.
constexpr std::size_t frame_room = 1514;
constexpr int frames_per_turn = 64;

// Lets through neighbour solicitations and advertisements only: without it the socket would be
// handed each IPv6 packet of the interface.
const std::array<sock_filter, 9> nd_filter{{
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 6),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 4),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 54),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 135, 1, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 136, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, frame_room),
    BPF_STMT(BPF_RET | BPF_K, 0),
}};

sockaddr_ll link_address(std::uint32_t ifindex, std::uint16_t protocol) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(protocol);
    address.sll_ifindex = static_cast<int>(ifindex);
    return address;
}

// 0, or errno.
int send_frame(int fd, std::uint32_t ifindex, std::uint16_t protocol, Bytes frame) {
    sockaddr_ll to = link_address(ifindex, protocol);
    to.sll_halen = ETH_ALEN;
    std::memcpy(to.sll_addr, frame.data(), ETH_ALEN);
    ssize_t sent;
    do {
        sent = sendto(fd, frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                      sizeof to);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

// Protocol 0: receives nothing until it is bound to one.
int open_packet_socket() {
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

bool hear(int fd, std::uint32_t ifindex, const Mac& group) {
    packet_mreq membership{};
    membership.mr_ifindex = static_cast<int>(ifindex);
    membership.mr_type = PACKET_MR_MULTICAST;
    membership.mr_alen = ETH_ALEN;
    std::memcpy(membership.mr_address, group.bytes.data(), ETH_ALEN);
    return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership) == 0;
}

// From then on the socket receives what may be a claim to `address`. 0, or errno.
int listen_for_claims(int fd, std::uint32_t ifindex, const Address& address) {
    std::uint16_t protocol = ETH_P_ARP;
    if (!address.is_v4()) {
        protocol = ETH_P_IPV6;
        const sock_fprog program{nd_filter.size(), const_cast<sock_filter*>(nd_filter.data())};
        if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0 ||
            !hear(fd, ifindex, all_nodes_mac()) ||
            !hear(fd, ifindex, solicited_node_mac(address))) {
            return errno;
        }
    }
    const sockaddr_ll at = link_address(ifindex, protocol);
    return bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 ? 0 : errno;
}

std::optional<Mac> claim_in(Bytes frame, const Link& link, const Address& address) {
    if (address.is_v4()) {
        const auto arp = parse_arp(frame);
        // A switch that sends our own probe back must not look like a conflict.
        if (!arp || arp->source == link.mac) return std::nullopt;
        return arp_claim(*arp, address);
    }
    const auto message = parse_nd(frame);
    if (!message || message->source == link.mac) return std::nullopt;
    return nd_claim(*message, address);
}

std::optional<std::string> unfit(const Link& link) {
    if (!link.ethernet) return "is not an Ethernet interface";
    if (!link.carrier) return "the link is down";
    return std::nullopt;
}

}  // namespace

// Kept alive by its own handlers.
class DuplicateProbe::Probe : public std::enable_shared_from_this<Probe> {
public:
    Probe(boost::asio::io_context& io, const ProbeTiming& timing, Link link, const Address& address,
          Done done)
        : io_(io),
          socket_(io),
          timer_(io),
          timing_(timing),
          link_(std::move(link)),
          address_(address),
          done_(std::move(done)) {}

    void start() {
        if (const auto why = unfit(link_)) return fail(Error(*why));
        const int fd = open_packet_socket();
        if (fd < 0) return fail(Error::system("open a packet socket", errno));
        socket_.assign(fd);
        const int code = listen_for_claims(fd, link_.ifindex, address_);
        if (code != 0) return fail(Error::system("listen", code));
        listen();
        ask();
    }

    // Ends it without calling back, even when its result is on the way already.
    void silence() {
        silenced_ = true;
        stop();
    }

private:
    void listen() {
        socket_.async_wait(Descriptor::wait_read,
                           [self = shared_from_this()](const boost::system::error_code& error) {
                               if (self->over_ || error) return;
                               self->read();
                               if (!self->over_) self->listen();
                           });
    }

    void read() {
        std::array<std::uint8_t, frame_room> buffer;
        for (int i = 0; i < frames_per_turn && !over_; ++i) {
            sockaddr_ll from{};
            socklen_t from_size = sizeof from;
            const ssize_t size = recvfrom(socket_.native_handle(), buffer.data(), buffer.size(), 0,
                                          reinterpret_cast<sockaddr*>(&from), &from_size);
            if (size < 0) return;  // nothing left, or the link went down: then sending fails
            // Not our own frames, and none of a VLAN that this interface is not part of.
            if (from.sll_pkttype == PACKET_OUTGOING || from.sll_pkttype == PACKET_OTHERHOST) {
                continue;
            }
            const auto mac =
                claim_in(Bytes(buffer).first(static_cast<std::size_t>(size)), link_, address_);
            if (mac) finish(mac);
        }
    }

    void ask() {
        if (sent_ == timing_.probes) return finish(std::optional<Mac>());
        int code;
        if (address_.is_v4()) {
            code = send_frame(socket_.native_handle(), link_.ifindex, ETH_P_ARP,
                              make_arp_probe(link_.mac, address_));
        } else {
            code = send_frame(socket_.native_handle(), link_.ifindex, ETH_P_IPV6,
                              make_nd_probe(link_.mac, address_));
        }
        if (code != 0) return fail(Error::system("send", code));
        ++sent_;
        timer_.expires_after(sent_ == timing_.probes ? timing_.last_wait : timing_.interval);
        timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
            if (!self->over_ && !error) self->ask();
        });
    }

    void fail(Error error) {
        finish(failure(
            std::move(error).within("probe " + address_.to_string() + " on " + link_.name)));
    }

    void finish(Result<std::optional<Mac>> result) {
        stop();
        // Through the queue, because start() may fail before it returns.
        boost::asio::post(io_, [self = shared_from_this(), answer = std::move(result)]() mutable {
            if (!self->silenced_) self->done_(std::move(answer));
        });
    }

    void stop() {
        over_ = true;
        boost::system::error_code ignored;
        socket_.close(ignored);
        timer_.cancel();
    }

    boost::asio::io_context& io_;
    Descriptor socket_;
    boost::asio::steady_timer timer_;
    ProbeTiming timing_;
    Link link_;
    Address address_;
    Done done_;
    int sent_ = 0;
    bool over_ = false;
    bool silenced_ = false;
};

DuplicateProbe::DuplicateProbe(boost::asio::io_context& io, ProbeTiming timing)
    : io_(io), timing_(timing) {}

DuplicateProbe::~DuplicateProbe() {
    for (const auto& weak : running_) {
        if (const auto probe = weak.lock()) probe->silence();
    }
}

void DuplicateProbe::start(const Link& link, const Address& address, Done done) {
    std::erase_if(running_, [](const std::weak_ptr<Probe>& weak) { return weak.expired(); });
    auto probe = std::make_shared<Probe>(io_, timing_, link, address, std::move(done));
    running_.push_back(probe);
    probe->start();
}

Result<void> AddressAnnouncer::announce(const Link& link, const Address& address) {
    const auto place = "announce " + address.to_string() + " on " + link.name;
    if (const auto why = unfit(link)) return failure(Error(*why).within(place));
    if (!socket_) socket_.reset(open_packet_socket());
    if (!socket_) return failure(Error::system("open a packet socket", errno).within(place));
    int code;
    if (address.is_v4()) {
        code = send_frame(socket_.get(), link.ifindex, ETH_P_ARP,
                          make_arp_announcement(link.mac, address, false));
        if (code == 0) {
            code = send_frame(socket_.get(), link.ifindex, ETH_P_ARP,
                              make_arp_announcement(link.mac, address, true));
        }
    } else {
        code = send_frame(socket_.get(), link.ifindex, ETH_P_IPV6,
                          make_nd_announcement(link.mac, address));
    }
    if (code != 0) return failure(Error::system("send", code).within(place));
    return {};
}

}  // namespace bascule::node
