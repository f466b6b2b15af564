// SPDX-License-Identifier: Apache-2.0
#include "health/icmp_sockets.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <map>

#include "health/sockaddr.h"

namespace bascule::health {

namespace {

namespace asio = boost::asio;
using Stream = asio::posix::stream_descriptor;

constexpr int packets_per_turn = 512;  // more than what the kernel's buffer usually holds
// Echo replies of ours are short, and of errors the head is enough.
constexpr std::size_t packet_room = 256;
constexpr std::size_t most_waiting = 65536;

template <typename T>
T random_value() {
    T value{};
    // Cannot fail for so few bytes once the kernel's pool is ready.
    [[maybe_unused]] const ssize_t got = ::getrandom(&value, sizeof value, 0);
    return value;
}

// Lets through replies and errors; requests to this host and neighbour messages stay out.
int set_filter(bool v4, int fd) {
    if (v4) {
        icmp_filter filter{};
        filter.data = ~(1U << ICMP_ECHOREPLY | 1U << ICMP_DEST_UNREACH | 1U << ICMP_TIME_EXCEEDED |
                        1U << ICMP_PARAMETERPROB);
        return ::setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof filter);
    }
    icmp6_filter filter{};
    ICMP6_FILTER_SETBLOCKALL(&filter);
    for (const int type : {ICMP6_ECHO_REPLY, ICMP6_DST_UNREACH, ICMP6_PACKET_TOO_BIG,
                           ICMP6_TIME_EXCEEDED, ICMP6_PARAM_PROB})
        ICMP6_FILTER_SETPASS(type, &filter);
    return ::setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
}

// The control message that says what address to send from.
class SourceControl {
public:
    SourceControl(msghdr& message, const Address& source) {
        if (source.is_unspecified()) return;
        message.msg_control = room_.data();
        message.msg_controllen = room_.size();
        if (source.is_v4()) {
            in_pktinfo info{};
            info.ipi_spec_dst.s_addr = source.v4_wire();
            message.msg_controllen = put(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
        } else {
            in6_pktinfo info{};
            std::memcpy(&info.ipi6_addr, source.bytes().data(), sizeof info.ipi6_addr);
            message.msg_controllen = put(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
        }
    }

private:
    static std::size_t put(msghdr& message, int level, int type, const void* data,
                           std::size_t size) {
        cmsghdr* const part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = level;
        part->cmsg_type = type;
        part->cmsg_len = CMSG_LEN(size);
        std::memcpy(CMSG_DATA(part), data, size);
        return CMSG_SPACE(size);
    }

    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> room_{};
};

Address address_of(const sockaddr_storage& from) {
    if (from.ss_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, &from, sizeof in);
        return Address::v4_from_wire(in.sin_addr.s_addr);
    }
    sockaddr_in6 in{};
    std::memcpy(&in, &from, sizeof in);
    Address::Bytes bytes{};
    std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
    return Address(bytes);
}

}  // namespace

// One family's socket. It is watched for as long as somebody waits, and its handler holds it.
class IcmpSockets::Family : public std::enable_shared_from_this<Family> {
public:
    Family(asio::io_context& io, bool v4) : v4_(v4), socket_(io) {}

    Result<void> open() {
        const int fd =
            v4_ ? ::socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP)
                : ::socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6);
        if (fd < 0) return failure(Error::system("no ICMP socket", errno));
        boost::system::error_code code;
        socket_.assign(fd, code);
        if (code) {
            ::close(fd);
            return failure(Error::system("no ICMP socket", code.value()));
        }
        if (set_filter(v4_, fd) != 0) return failure(Error::system("no ICMP filter", errno));
        return {};
    }

    void close() {
        boost::system::error_code ignored;
        socket_.close(ignored);
    }

    asio::awaitable<Result<EchoEnd>> echo(Address to, Address source, Clock::time_point deadline) {
        const auto self = shared_from_this();  // a run may be ended after everything else is
        if (waiters_.size() == most_waiting) co_return failure("too many ICMP requests under way");
        while (waiters_.contains(next_sequence_))
            ++next_sequence_;
        // What came while nobody waited (all pings of this host's) must not crowd out the answer.
        if (waiters_.empty()) read();
        Waiter waiter(*this, next_sequence_++, to);
        waiter.end.send_errno = send(waiter.request, to, source);
        if (waiter.end.send_errno != 0) co_return waiter.end;
        watch();
        waiter.timer.expires_at(deadline);
        co_await waiter.timer.async_wait(asio::as_tuple(asio::use_awaitable));
        co_return waiter.end;
    }

private:
    // A request under way, for as long as it lives.
    struct Waiter {
        Waiter(Family& owner, std::uint16_t sequence, const Address& address)
            : family(owner), to(address), timer(owner.socket_.get_executor()) {
            request.id = owner.id_;
            request.sequence = sequence;
            request.token = random_value<decltype(request.token)>();
            owner.waiters_[sequence] = this;
        }
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        ~Waiter() {
            family.waiters_.erase(request.sequence);
            // Replies that nobody waits for stay in the kernel's buffer, and are read before the
            // next request.
            if (family.waiters_.empty() && family.socket_.is_open()) family.socket_.cancel();
        }

        Family& family;
        Echo request;
        Address to;
        asio::steady_timer timer;
        EchoEnd end;
    };

    int send(const Echo& request, const Address& to, const Address& source) {
        auto packet = encode_echo(v4_, request);
        SocketAddress address = socket_address(to, 0);
        iovec part{packet.data(), packet.size()};
        msghdr message{};
        message.msg_name = &address.storage;
        message.msg_namelen = address.length;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        const SourceControl control(message, source);
        return ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL) < 0 ? errno : 0;
    }

    void watch() {
        if (watching_) return;
        watching_ = true;
        socket_.async_wait(Stream::wait_read,
                           [self = shared_from_this()](const boost::system::error_code& error) {
                               self->watching_ = false;
                               if (!error) self->read();
                               // Also when it was cancelled, and somebody has come since.
                               if (self->socket_.is_open() && !self->waiters_.empty())
                                   self->watch();
                           });
    }

    void read() {
        std::array<std::uint8_t, packet_room> buffer;
        for (int i = 0; i < packets_per_turn; ++i) {
            sockaddr_storage from{};
            socklen_t from_size = sizeof from;
            const ssize_t size = ::recvfrom(socket_.native_handle(), buffer.data(), buffer.size(),
                                            0, reinterpret_cast<sockaddr*>(&from), &from_size);
            if (size < 0) return;  // nothing left
            const auto packet = std::span(buffer).first(static_cast<std::size_t>(size));
            if (const auto answer = decode_echo_answer(v4_, packet))
                tell(*answer, address_of(from));
        }
    }

    void tell(const EchoAnswer& answer, const Address& sender) {
        const auto found = waiters_.find(answer.echo.sequence);
        if (found == waiters_.end() || answer.echo.id != id_) return;
        Waiter& waiter = *found->second;
        if (answer.is_error) {
            if (answer.destination != waiter.to) return;
            waiter.end.error = answer;
            waiter.end.sender = sender;
        } else {
            if (sender != waiter.to || answer.echo != waiter.request) return;
            waiter.end.answered = true;
        }
        waiter.timer.cancel();
    }

    bool v4_;
    Stream socket_;
    std::uint16_t id_ = random_value<std::uint16_t>();
    std::uint16_t next_sequence_ = 0;
    std::map<std::uint16_t, Waiter*> waiters_;
    bool watching_ = false;
};

IcmpSockets::IcmpSockets(asio::io_context& io) : io_(io) {}

IcmpSockets::~IcmpSockets() {
    for (const auto& family : {v4_, v6_})
        if (family) family->close();
}

asio::awaitable<Result<EchoEnd>> IcmpSockets::echo(Address to, Address source,
                                                   Clock::time_point deadline) {
    auto& family = to.is_v4() ? v4_ : v6_;
    if (!family) {
        auto made = std::make_shared<Family>(io_, to.is_v4());
        if (auto opened = made->open(); !opened) co_return failure(std::move(opened).error());
        family = std::move(made);
    }
    co_return co_await family->echo(to, source, deadline);
}

}  // namespace bascule::health
