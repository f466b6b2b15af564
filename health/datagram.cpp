// SPDX-License-Identifier: Apache-2.0
#include "health/datagram.h"

#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "health/await.h"
#include "health/icmp_message.h"
#include "health/sockaddr.h"
#include "health/words.h"

namespace bascule::health {

namespace {

namespace asio = boost::asio;

constexpr std::size_t most_datagram = 65'535;

Address address_of(const sockaddr* from) {
    if (from->sa_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, from, sizeof in);
        return Address::v4_from_wire(in.sin_addr.s_addr);
    }
    if (from->sa_family != AF_INET6) return {};
    sockaddr_in6 in{};
    std::memcpy(&in, from, sizeof in);
    Address::Bytes bytes{};
    std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
    return Address(bytes);
}

bool is_port_unreachable(bool v4, std::uint8_t type, std::uint8_t code) {
    return v4 ? type == ICMP_UNREACH && code == ICMP_UNREACH_PORT
              : type == ICMP6_DST_UNREACH && code == ICMP6_DST_UNREACH_NOPORT;
}

}  // namespace

DatagramSocket::DatagramSocket(asio::io_context& io, const Target& target)
    : socket_(io), timer_(io), target_(target) {}

std::optional<Outcome> DatagramSocket::open(const Destination& to) {
    to_ = to;
    const bool v4 = to.address.is_v4();
    const SocketAddress address = socket_address(to.address, to.port);
    const int fd =
        ::socket(address.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
    if (fd < 0) return fault(errno);
    boost::system::error_code code;
    socket_.assign(v4 ? asio::ip::udp::v4() : asio::ip::udp::v6(), fd, code);
    if (code) {
        ::close(fd);
        return fault(code.value());
    }
    // Without it a connected socket is told of unreachable ports alone, not of hosts and networks.
    const int on = 1;
    const int told = v4 ? ::setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on)
                        : ::setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
    if (told != 0) return fault(errno);
    if (!to.source.is_unspecified()) {
        const SocketAddress source = socket_address(to.source, 0);
        if (::bind(fd, source.get(), source.length) != 0) {
            if (errno != EADDRNOTAVAIL) return fault(errno);
            return failed(Failure::local,
                          "source " + to.source.to_string() + " is not an address of this host");
        }
    }
    if (::connect(fd, address.get(), address.length) != 0) return fault(errno);
    return std::nullopt;
}

std::optional<Outcome> DatagramSocket::send(std::string_view datagram) {
    if (::send(socket_.native_handle(), datagram.data(), datagram.size(), MSG_NOSIGNAL) >= 0)
        return std::nullopt;
    return fault(errno);
}

asio::awaitable<DatagramSocket::Received> DatagramSocket::receive(Clock::time_point deadline) {
    for (bool in_time = true; in_time;) {
        if (auto received = take()) co_return std::move(*received);
        in_time = co_await readable_before(socket_, timer_, deadline);
    }
    co_return take().value_or(Received{});
}

std::optional<DatagramSocket::Received> DatagramSocket::take() {
    std::array<char, most_datagram> buffer;
    const ssize_t size = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), 0);
    if (size >= 0)
        return Received{std::string(buffer.data(), static_cast<std::size_t>(size)), std::nullopt};
    if (errno == EAGAIN || errno == EINTR) return std::nullopt;
    return Received{std::nullopt, fault(errno)};
}

Outcome DatagramSocket::fault(int code) {
    if (auto icmp = icmp_fault()) return std::move(*icmp);
    const std::string server = server_name(target_, to_);
    const std::string message = plain(std::generic_category().message(code));
    switch (code) {
        case ECONNREFUSED:
            return failed(Failure::refused, "refused by " + server + " (ICMP port unreachable)");
        case ENETUNREACH:
        case EHOSTUNREACH:
        case ENETDOWN:
        case EHOSTDOWN:
        case EACCES:
            return failed(Failure::unreachable, server + " cannot be reached: " + message);
        case EPERM:
            return failed(Failure::local,
                          "sending to " + server + " forbidden by this host's firewall");
        case EAGAIN:
        case EADDRINUSE:
            return failed(Failure::local, "no local port is free");
        case EMFILE:
        case ENFILE:
            return failed(Failure::local, "no file descriptor is left for a socket");
        default:
            return failed(Failure::local, "sending to " + server + ": " + message);
    }
}

// The ICMP error that the kernel keeps for us, if there is one.
std::optional<Outcome> DatagramSocket::icmp_fault() {
    std::array<char, 512> control{};
    msghdr message{};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (!socket_.is_open() ||
        ::recvmsg(socket_.native_handle(), &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return std::nullopt;
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
        sock_extended_err error{};
        sockaddr_storage from{};
        if (part->cmsg_len < CMSG_LEN(sizeof error)) continue;
        std::memcpy(&error, CMSG_DATA(part), sizeof error);
        const bool v4 = error.ee_origin == SO_EE_ORIGIN_ICMP;
        if (!v4 && error.ee_origin != SO_EE_ORIGIN_ICMP6) continue;
        const std::size_t left = part->cmsg_len - CMSG_LEN(sizeof error);
        std::memcpy(&from, CMSG_DATA(part) + sizeof error, std::min(left, sizeof from));
        const Address sender = address_of(reinterpret_cast<const sockaddr*>(&from));
        const std::string server = server_name(target_, to_);
        const std::string words = icmp_words(v4, error.ee_type, error.ee_code);
        const std::string says =
            sender == to_.address || sender.is_unspecified() ? "" : ", says " + sender.to_string();
        if (is_port_unreachable(v4, error.ee_type, error.ee_code))
            return failed(Failure::refused,
                          "refused by " + server + " (ICMP " + words + ")" + says);
        return failed(Failure::unreachable, server + " cannot be reached: " + words + says);
    }
    return std::nullopt;
}

}  // namespace bascule::health
