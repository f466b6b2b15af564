// SPDX-License-Identifier: Apache-2.0
#include "backend/netlink.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>

#ifndef IFA_PROTO  // Linux 5.18; Debian 12's libc headers know it
#define IFA_PROTO 11
#endif

namespace bascule::backend {
namespace {

constexpr int answer_timeout_seconds = 5;
constexpr int most_datagrams = 4096;
constexpr int dump_attempts = 4;
// errno that stands for a dump torn by a change; no netlink answer has it.
constexpr int torn = -1;

using Bytes = std::span<const std::uint8_t>;

// Header, the family's fixed part, attributes; small, so that it never grows.
class Request {
public:
    Request(std::uint16_t type, std::uint16_t flags) {
        header().nlmsg_type = type;
        header().nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
        header().nlmsg_len = NLMSG_HDRLEN;
    }
    template <typename T>
    Request& fixed(const T& part) {
        append(&part, sizeof part);
        return *this;
    }
    Request& attribute(std::uint16_t type, Bytes bytes) {
        const rtattr head{static_cast<std::uint16_t>(RTA_LENGTH(bytes.size())), type};
        append(&head, sizeof head);
        append(bytes.data(), bytes.size());
        return *this;
    }
    template <typename T>
    Request& value(std::uint16_t type, const T& part) {
        std::array<std::uint8_t, sizeof(T)> bytes;
        std::memcpy(bytes.data(), &part, sizeof part);
        return attribute(type, bytes);
    }
    nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(bytes_.data()); }

private:
    void append(const void* data, std::size_t size) {
        const std::size_t at = NLMSG_ALIGN(header().nlmsg_len);
        if (at + size > bytes_.size()) throw std::length_error("netlink request");
        std::memcpy(bytes_.data() + at, data, size);
        header().nlmsg_len = static_cast<std::uint32_t>(at + size);
    }

    alignas(nlmsghdr) std::array<std::uint8_t, 256> bytes_{};
};

template <typename T>
std::optional<T> read(Bytes bytes) {
    T value;
    if (bytes.size() < sizeof value) return {};
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

// What follows the netlink header.
Bytes payload_of(const nlmsghdr& message) {
    const auto* start = reinterpret_cast<const std::uint8_t*>(&message);
    return Bytes(start, message.nlmsg_len).subspan(NLMSG_HDRLEN);
}

// The attribute of a type behind a fixed part of `size` bytes; each is checked for its length.
std::optional<Bytes> attribute_of(Bytes payload, std::size_t size, std::uint16_t type) {
    std::size_t at = NLMSG_ALIGN(size);
    while (at + sizeof(rtattr) <= payload.size()) {
        const auto head = *read<rtattr>(payload.subspan(at));
        if (head.rta_len < sizeof head || at + head.rta_len > payload.size()) return {};
        if ((head.rta_type & NLA_TYPE_MASK) == type)
            return payload.subspan(at + sizeof head, head.rta_len - sizeof head);
        at += NLMSG_ALIGN(head.rta_len);
    }
    return {};
}

std::optional<Address> address_of(std::optional<Bytes> bytes) {
    if (!bytes) return {};
    if (const auto v6 = read<Address::Bytes>(*bytes); v6 && bytes->size() == 16)
        return Address(*v6);
    if (const auto v4 = read<std::array<std::uint8_t, 4>>(*bytes); v4 && bytes->size() == 4)
        return Address::v4(*v4);
    return {};
}

Result<Descriptor> open_socket(int flags, std::uint32_t groups) {
    Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = groups;
    if (!socket ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return failure(Error::system("open a netlink socket", errno));
    return socket;
}

}  // namespace

Result<Netlink> Netlink::open() {
    auto socket = open_socket(0, 0);
    if (!socket) return failure(std::move(socket.error()));
    const timeval limit{answer_timeout_seconds, 0};
    ::setsockopt(socket->get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    // Without it the kernel ignores filters and attributes that it does not know.
    const int on = 1;
    ::setsockopt(socket->get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    return Netlink(std::move(*socket));
}

// Reads until the answer to the request of that number ends; its errno.
Result<int> Netlink::receive(std::uint32_t sequence, const Visit& visit) {
    int end = 0;
    for (int i = 0; i < most_datagrams; ++i) {
        sockaddr_nl from{};
        socklen_t from_size = sizeof from;
        const ssize_t size = ::recvfrom(socket_.get(), buffer_.data(), buffer_.size(), MSG_TRUNC,
                                        reinterpret_cast<sockaddr*>(&from), &from_size);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return failure(Error::system("read a netlink answer", errno));
        if (static_cast<std::size_t>(size) > buffer_.size())
            return failure("a netlink answer is too long");
        if (from.nl_pid != 0) continue;
        std::size_t at = 0;
        while (at + NLMSG_HDRLEN <= static_cast<std::size_t>(size)) {
            const auto& message = *reinterpret_cast<const nlmsghdr*>(buffer_.data() + at);
            if (message.nlmsg_len < NLMSG_HDRLEN ||
                at + message.nlmsg_len > static_cast<std::size_t>(size))
                return failure("a netlink answer is malformed");
            at += NLMSG_ALIGN(message.nlmsg_len);
            if (message.nlmsg_seq != sequence) continue;  // of a request that was given up
            if (message.nlmsg_flags & NLM_F_DUMP_INTR) end = torn;
            const bool is_done = message.nlmsg_type == NLMSG_DONE;
            if (is_done || message.nlmsg_type == NLMSG_ERROR) {
                // A dump that fails on its way says so at its end; what came before is not all.
                const int error = -read<std::int32_t>(payload_of(message)).value_or(-EBADMSG);
                return is_done && error == 0 ? end : error;
            }
            if (visit) visit(message);
        }
    }
    return failure("a netlink answer without an end");
}

Result<int> Netlink::change(nlmsghdr& request) {
    request.nlmsg_flags |= NLM_F_ACK;
    request.nlmsg_seq = ++sequence_;
    if (::send(socket_.get(), &request, request.nlmsg_len, 0) < 0)
        return failure(Error::system("send a netlink request", errno));
    return receive(sequence_, {});
}

Result<void> Netlink::dump(nlmsghdr& request, const std::function<void()>& restart,
                           const Visit& visit) {
    request.nlmsg_flags |= NLM_F_DUMP;
    for (int attempt = 0; attempt < dump_attempts; ++attempt) {
        restart();
        request.nlmsg_seq = ++sequence_;
        if (::send(socket_.get(), &request, request.nlmsg_len, 0) < 0)
            return failure(Error::system("send a netlink request", errno));
        auto end = receive(sequence_, visit);
        if (!end) return failure(std::move(end.error()));
        if (*end == 0) return {};
        if (*end != torn) return failure(Error::system("netlink", *end));
    }
    return failure("the network changes too fast to be read");
}

Result<std::vector<HostAddress>> Netlink::addresses() {
    std::vector<HostAddress> found;
    Request request(RTM_GETADDR, 0);
    request.fixed(ifaddrmsg{});
    auto read_one = [&](const nlmsghdr& message) {
        const Bytes payload = payload_of(message);
        const auto fixed = read<ifaddrmsg>(payload);
        if (message.nlmsg_type != RTM_NEWADDR || !fixed) return;
        const auto attribute = [&](std::uint16_t type) {
            return attribute_of(payload, sizeof *fixed, type);
        };
        // IFA_LOCAL is ours where the link is point-to-point; IPv6 has it only there.
        const auto local = address_of(attribute(IFA_LOCAL));
        const auto address = local ? local : address_of(attribute(IFA_ADDRESS));
        const auto origin = attribute(IFA_PROTO);
        if (address)
            found.push_back({*address, fixed->ifa_prefixlen, fixed->ifa_index,
                             origin ? read<std::uint8_t>(*origin).value_or(0) : std::uint8_t{0}});
    };
    if (auto done = dump(
            request.header(), [&] { found.clear(); }, read_one);
        !done)
        return failure(std::move(done.error()).within("list the addresses of this host"));
    return found;
}

Result<std::vector<Link>> Netlink::links() {
    std::vector<Link> found;
    Request request(RTM_GETLINK, 0);
    request.fixed(ifinfomsg{});
    auto read_one = [&](const nlmsghdr& message) {
        const Bytes payload = payload_of(message);
        const auto fixed = read<ifinfomsg>(payload);
        if (message.nlmsg_type != RTM_NEWLINK || !fixed) return;
        const auto name = attribute_of(payload, sizeof *fixed, IFLA_IFNAME);
        const auto mtu = attribute_of(payload, sizeof *fixed, IFLA_MTU);
        const auto mac = attribute_of(payload, sizeof *fixed, IFLA_ADDRESS);
        if (!name || name->empty()) return;
        Link link;
        link.ifindex = static_cast<std::uint32_t>(fixed->ifi_index);
        link.name.assign(name->begin(), name->end() - 1);  // its closing zero
        if (mtu) link.mtu = read<std::uint32_t>(*mtu).value_or(0);
        if (mac && mac->size() == link.mac.bytes.size()) link.mac = *read<Mac>(*mac);
        link.is_ethernet = fixed->ifi_type == ARPHRD_ETHER;
        link.is_up = (fixed->ifi_flags & IFF_UP) != 0;
        found.push_back(std::move(link));
    };
    if (auto done = dump(
            request.header(), [&] { found.clear(); }, read_one);
        !done)
        return failure(std::move(done.error()).within("list the network interfaces"));
    return found;
}

Result<int> Netlink::change_loopback(const Address& address, std::uint16_t type,
                                     std::uint16_t flags) {
    const unsigned loopback = ::if_nametoindex("lo");
    if (loopback == 0) return failure("there is no loopback interface 'lo'");
    const Bytes all(address.bytes());
    const Bytes bytes = address.is_v4() ? all.last(4) : all;
    ifaddrmsg fixed{};
    fixed.ifa_family = address.is_v4() ? AF_INET : AF_INET6;
    fixed.ifa_prefixlen = address.is_v4() ? 32 : 128;
    fixed.ifa_index = loopback;
    // Host scope keeps the kernel from choosing an IPv4 VIP as the source of what it sends itself.
    fixed.ifa_scope = address.is_v4() ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
    Request request(type, flags);
    request.fixed(fixed).attribute(IFA_LOCAL, bytes).attribute(IFA_ADDRESS, bytes);
    if (type == RTM_NEWADDR) {
        request.value(IFA_PROTO, own_address_origin);
        if (!address.is_v4()) {
            // The same by a preferred lifetime of nothing; and duplicates are the very point here.
            const ifa_cacheinfo lifetime{0, 0xffffffff, 0, 0};
            request.value(IFA_CACHEINFO, lifetime)
                .value(IFA_FLAGS, static_cast<std::uint32_t>(IFA_F_NODAD));
        }
    }
    return change(request.header());
}

Result<bool> Netlink::add_to_loopback(const Address& address) {
    auto done = change_loopback(address, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    if (!done) return failure(std::move(done.error()));
    if (*done != 0 && *done != EEXIST)
        return failure(Error::system("add " + address.to_string() + " to lo", *done));
    return *done == 0;
}

Result<bool> Netlink::remove_from_loopback(const Address& address) {
    auto done = change_loopback(address, RTM_DELADDR, 0);
    if (!done) return failure(std::move(done.error()));
    if (*done != 0 && *done != EADDRNOTAVAIL)
        return failure(Error::system("remove " + address.to_string() + " from lo", *done));
    return *done == 0;
}

Result<bool> Netlink::has_clsact(std::uint32_t ifindex) {
    bool found = false;
    Request request(RTM_GETQDISC, 0);
    tcmsg fixed{};
    fixed.tcm_family = AF_UNSPEC;
    request.fixed(fixed);
    const auto restart = [&] { found = false; };
    auto done = dump(request.header(), restart, [&](const nlmsghdr& message) {
        const auto part = read<tcmsg>(payload_of(message));
        if (message.nlmsg_type == RTM_NEWQDISC && part &&
            static_cast<std::uint32_t>(part->tcm_ifindex) == ifindex &&
            part->tcm_parent == TC_H_CLSACT)
            found = true;
    });
    if (!done) return failure(std::move(done.error()).within("list the qdiscs"));
    return found;
}

Result<bool> Netlink::has_filters(std::uint32_t ifindex) {
    bool found = false;
    for (const std::uint32_t hook : {TC_H_MIN_INGRESS, TC_H_MIN_EGRESS}) {
        Request request(RTM_GETTFILTER, 0);
        tcmsg fixed{};
        fixed.tcm_ifindex = static_cast<int>(ifindex);
        fixed.tcm_parent = TC_H_MAKE(TC_H_CLSACT, hook);
        request.fixed(fixed);
        // One of before a change is only a reason to be careful.
        auto done = dump(
            request.header(), [] {},
            [&](const nlmsghdr& message) {
                if (message.nlmsg_type == RTM_NEWTFILTER) found = true;
            });
        if (!done) return failure(std::move(done.error()).within("list the filters"));
    }
    return found;
}

// ---- events ----

Result<NetlinkEvents> NetlinkEvents::open() {
    auto socket = open_socket(SOCK_NONBLOCK, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
    if (!socket) return failure(std::move(socket.error()));
    return NetlinkEvents(std::move(*socket));
}

void NetlinkEvents::drain() {
    std::array<std::uint8_t, 8192> buffer;
    for (int i = 0; i < most_datagrams; ++i)
        if (::recv(socket_.get(), buffer.data(), buffer.size(), 0) < 0 && errno != ENOBUFS &&
            errno != EINTR)
            return;
}

}  // namespace bascule::backend
