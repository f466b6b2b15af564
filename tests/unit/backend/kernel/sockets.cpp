// SPDX-License-Identifier: Apache-2.0
#include "sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace bascule::test {

namespace {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = sizeof(sockaddr_storage);
    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress make(const Address& address, std::uint16_t port) {
    SocketAddress made;
    if (address.is_v4()) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        v4.sin_addr.s_addr = address.v4_wire();
        made.size = sizeof v4;
        std::memcpy(&made.storage, &v4, sizeof v4);
    } else {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        std::memcpy(&v6.sin6_addr, address.bytes().data(), 16);
        made.size = sizeof v6;
        std::memcpy(&made.storage, &v6, sizeof v6);
    }
    return made;
}

bool wait_for(int fd, short events, int milliseconds) {
    pollfd polled{fd, events, 0};
    return ::poll(&polled, 1, milliseconds) > 0;
}

}  // namespace

Socket Socket::bound(const Address& local, std::uint16_t port, int type) {
    Socket socket(::socket(local.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(socket.fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    SocketAddress address = make(local, port);
    if (::bind(socket.fd_.get(), address.get(), address.size) != 0)
        throw std::runtime_error("bind " + local.to_string() + ": " + std::strerror(errno));
    return socket;
}

Socket Socket::udp(const Address& local, std::uint16_t port) {
    return bound(local, port, SOCK_DGRAM);
}

Socket Socket::tcp(const Address& local, std::uint16_t port) {
    return bound(local, port, SOCK_STREAM);
}

Socket Socket::listener(const Address& local, std::uint16_t port) {
    Socket socket = bound(local, port, SOCK_STREAM);
    ::listen(socket.fd_.get(), 16);
    return socket;
}

Socket Socket::accept() const {
    if (!wait_for(fd_.get(), POLLIN, 20'000)) return Socket(-1);
    return Socket(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

int Socket::connect(const Address& remote, std::uint16_t port) const {
    SocketAddress address = make(remote, port);
    const timeval limit{20, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return ::connect(fd_.get(), address.get(), address.size) == 0 ? 0 : errno;
}

void Socket::without_checksums() const {
    const int on = 1;
    if (::setsockopt(fd_.get(), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on) != 0)
        throw std::runtime_error("SO_NO_CHECK");
}

void Socket::send(const std::string& text) const {
    std::size_t at = 0;
    while (at < text.size()) {
        const ssize_t sent = ::send(fd_.get(), text.data() + at, text.size() - at, MSG_NOSIGNAL);
        if (sent < 0) throw std::runtime_error(std::string("send: ") + std::strerror(errno));
        at += static_cast<std::size_t>(sent);
    }
}

void Socket::send_to(const std::string& text, const Address& remote, std::uint16_t port) const {
    SocketAddress address = make(remote, port);
    if (::sendto(fd_.get(), text.data(), text.size(), 0, address.get(), address.size) < 0)
        throw std::runtime_error(std::string("sendto: ") + std::strerror(errno));
}

Socket::Received Socket::receive(int milliseconds) const {
    Received received;
    std::vector<char> buffer(65536);
    SocketAddress from;
    if (!wait_for(fd_.get(), POLLIN, milliseconds)) {
        received.error = EAGAIN;
        return received;
    }
    const ssize_t size =
        ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0, from.get(), &from.size);
    if (size < 0) {
        received.error = errno;
        return received;
    }
    received.text.assign(buffer.data(), static_cast<std::size_t>(size));
    if (from.storage.ss_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &from.storage, sizeof v4);
        received.from = Address::v4_from_wire(v4.sin_addr.s_addr);
        received.port = ntohs(v4.sin_port);
    } else if (from.storage.ss_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &from.storage, sizeof v6);
        Address::Bytes bytes;
        std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
        received.from = Address(bytes);
        received.port = ntohs(v6.sin6_port);
    }
    return received;
}

int Socket::receive_mark() const {
    const int on = 1;
    ::setsockopt(fd_.get(), IPPROTO_IP, IP_RECVTOS, &on, sizeof on);
    ::setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on);
    if (!wait_for(fd_.get(), POLLIN, 20'000)) return -1;
    char text[64];
    iovec part{text, sizeof text};
    alignas(cmsghdr) char control[256];
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    if (::recvmsg(fd_.get(), &header, 0) < 0) return -1;
    for (cmsghdr* one = CMSG_FIRSTHDR(&header); one != nullptr; one = CMSG_NXTHDR(&header, one)) {
        int mark = 0;
        if (one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_TOS) return *CMSG_DATA(one);
        if (one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_TCLASS) {
            std::memcpy(&mark, CMSG_DATA(one), sizeof mark);
            return mark;
        }
    }
    return -1;
}

std::string Socket::receive_all(std::size_t bytes) const {
    std::string all;
    while (all.size() < bytes) {
        const Received more = receive();
        if (more.error != 0 || more.text.empty()) break;
        all += more.text;
    }
    return all;
}

int Socket::mss() const {
    tcp_info info{};
    socklen_t size = sizeof info;
    ::getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &size);
    return static_cast<int>(info.tcpi_snd_mss);
}

}  // namespace bascule::test
