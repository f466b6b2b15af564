// SPDX-License-Identifier: Apache-2.0
#include "node/netlink.h"

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <new>
#include <system_error>
#include <vector>

namespace bascule::node {
namespace {

// The kernel puts at most 32 KiB into one datagram of a dump.
constexpr std::size_t datagram_size = 65536;
constexpr int answer_timeout_seconds = 5;
constexpr int torn_dump_attempts = 4;
// Messages taken in one go, so that a flood leaves the control thread time for others.
constexpr int datagrams_per_turn = 256;
constexpr int datagrams_per_catch_up = 4096;

NetlinkError system_error(int code) {
    return {code, std::generic_category().message(code)};
}

using Socket = std::unique_ptr<nl_sock, NetlinkFree>;

Result<Socket> connect_route() {
    Socket socket(nl_socket_alloc());
    if (!socket) throw std::bad_alloc();
    errno = 0;
    if (nl_connect(socket.get(), NETLINK_ROUTE) < 0) {
        return failure(Error::system("open a netlink socket", errno));
    }
    return socket;
}

// One datagram of the kernel; 0: not from the kernel, to be passed over.
NetlinkResult<std::size_t> receive(int fd, std::span<std::uint8_t> buffer) {
    sockaddr_nl from{};
    iovec part{buffer.data(), buffer.size()};
    msghdr header{};
    header.msg_name = &from;
    header.msg_namelen = sizeof from;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    ssize_t size;
    do {
        size = recvmsg(fd, &header, 0);
    } while (size < 0 && errno == EINTR);
    if (size < 0) return tl::unexpected(system_error(errno));
    if (header.msg_flags & MSG_TRUNC) return tl::unexpected(system_error(EMSGSIZE));
    return from.nl_pid == 0 ? static_cast<std::size_t>(size) : 0;
}

template <typename Each>
void for_each_message(std::span<const std::uint8_t> datagram, Each each) {
    auto left = static_cast<int>(datagram.size());
    // The buffer is aligned, and so is each message in it.
    auto* header = reinterpret_cast<nlmsghdr*>(const_cast<std::uint8_t*>(datagram.data()));
    while (nlmsg_ok(header, left)) {
        if (!each(static_cast<const nlmsghdr&>(*header))) return;
        header = nlmsg_next(header, &left);
    }
}

template <typename Number>
std::optional<Number> number(const std::optional<std::span<const std::uint8_t>>& bytes) {
    Number value;
    if (!bytes || bytes->size() != sizeof value) return std::nullopt;
    std::memcpy(&value, bytes->data(), sizeof value);
    return value;
}

// What an NLMSG_ERROR says; code 0 is an acknowledgement. The socket asks for errors without a
// copy of the request, so that the explanation follows directly.
NetlinkError explain(const nlmsghdr& header) {
    const auto error = fixed_part<nlmsgerr>(header);
    if (!error) return system_error(EBADMSG);
    if (error->error == 0) return {};
    NetlinkError result = system_error(-error->error);
    if (header.nlmsg_flags & NLM_F_ACK_TLVS) {
        const auto attributes = NetlinkAttributes::parse(header, sizeof(nlmsgerr));
        const auto text = attributes ? attributes->text(NLMSGERR_ATTR_MSG) : std::nullopt;
        if (text && !text->empty()) result.text += " (" + *text + ")";
    }
    return result;
}

}  // namespace

void NetlinkFree::operator()(nl_msg* message) const {
    nlmsg_free(message);
}

void NetlinkFree::operator()(nl_sock* socket) const {
    nl_socket_free(socket);
}

std::uint8_t family_of(const Address& address) {
    return address.is_v4() ? AF_INET : AF_INET6;
}

// ---- messages ----

NetlinkMessage::NetlinkMessage(std::uint16_t type, std::uint16_t flags)
    : message_(nlmsg_alloc_simple(type, flags)) {
    if (!message_) throw std::bad_alloc();
}

void NetlinkMessage::append(const void* data, std::size_t size) {
    if (nlmsg_append(get(), const_cast<void*>(data), size, NLMSG_ALIGNTO) < 0) {
        throw std::bad_alloc();
    }
}

NetlinkMessage& NetlinkMessage::attribute(int type, std::span<const std::uint8_t> bytes) {
    if (nla_put(get(), type, static_cast<int>(bytes.size()), bytes.data()) < 0) {
        throw std::bad_alloc();
    }
    return *this;
}

NetlinkMessage& NetlinkMessage::attribute(int type, std::uint8_t value) {
    return attribute(type, std::span<const std::uint8_t>(&value, 1));
}

NetlinkMessage& NetlinkMessage::attribute(int type, std::uint32_t value) {
    std::array<std::uint8_t, sizeof value> bytes;
    std::memcpy(bytes.data(), &value, sizeof value);
    return attribute(type, std::span<const std::uint8_t>(bytes));
}

NetlinkMessage& NetlinkMessage::attribute(int type, const std::string& text) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.c_str());
    return attribute(type, std::span<const std::uint8_t>(bytes, text.size() + 1));
}

NetlinkMessage& NetlinkMessage::attribute(int type, const Address& address) {
    const std::span<const std::uint8_t> bytes(address.bytes());
    return attribute(type, address.is_v4() ? bytes.last(4) : bytes);
}

NetlinkMessage& NetlinkMessage::nested(int type, const std::function<void(NetlinkMessage&)>& fill) {
    nlattr* nest = nla_nest_start(get(), type);
    if (nest == nullptr) throw std::bad_alloc();
    fill(*this);
    if (nla_nest_end(get(), nest) < 0) throw std::bad_alloc();
    return *this;
}

std::optional<NetlinkAttributes> NetlinkAttributes::parse(const nlmsghdr& message,
                                                          std::size_t fixed_size) {
    if (message.nlmsg_len < NLMSG_HDRLEN + NLMSG_ALIGN(fixed_size)) return std::nullopt;
    const auto* start = reinterpret_cast<const std::uint8_t*>(&message);
    return parse_nested({start + NLMSG_HDRLEN + NLMSG_ALIGN(fixed_size),
                         message.nlmsg_len - NLMSG_HDRLEN - NLMSG_ALIGN(fixed_size)});
}

std::optional<NetlinkAttributes> NetlinkAttributes::parse_nested(
    std::span<const std::uint8_t> bytes) {
    NetlinkAttributes result;
    auto left = static_cast<int>(bytes.size());
    const auto* attribute = reinterpret_cast<const nlattr*>(bytes.data());
    for (; nla_ok(attribute, left); attribute = nla_next(attribute, &left)) {
        const int type = nla_type(attribute);
        if (type <= max_type) result.table_[static_cast<std::size_t>(type)] = attribute;
    }
    if (left > 0) return std::nullopt;
    return result;
}

std::optional<std::span<const std::uint8_t>> NetlinkAttributes::bytes(int type) const {
    const nlattr* attribute = table_.at(static_cast<std::size_t>(type));
    if (attribute == nullptr) return std::nullopt;
    return std::span(static_cast<const std::uint8_t*>(nla_data(attribute)),
                     static_cast<std::size_t>(nla_len(attribute)));
}

std::optional<std::uint8_t> NetlinkAttributes::u8(int type) const {
    const auto data = bytes(type);
    if (!data || data->size() != 1) return std::nullopt;
    return data->front();
}

std::optional<std::uint16_t> NetlinkAttributes::u16(int type) const {
    return number<std::uint16_t>(bytes(type));
}

std::optional<std::uint32_t> NetlinkAttributes::u32(int type) const {
    return number<std::uint32_t>(bytes(type));
}

std::optional<std::string> NetlinkAttributes::text(int type) const {
    const auto data = bytes(type);
    if (!data) return std::nullopt;
    const auto* text = reinterpret_cast<const char*>(data->data());
    return std::string(text, strnlen(text, data->size()));
}

std::optional<Address> NetlinkAttributes::address(int type) const {
    const auto data = bytes(type);
    if (data && data->size() == 4) {
        return Address::v4({(*data)[0], (*data)[1], (*data)[2], (*data)[3]});
    }
    Address::Bytes all;
    if (!data || data->size() != all.size()) return std::nullopt;
    std::memcpy(all.data(), data->data(), all.size());
    return Address(all);
}

std::optional<Mac> NetlinkAttributes::mac(int type) const {
    const auto data = bytes(type);
    Mac mac;
    if (!data || data->size() != mac.bytes.size()) return std::nullopt;
    std::memcpy(mac.bytes.data(), data->data(), mac.bytes.size());
    if (mac == Mac{}) return std::nullopt;
    return mac;
}

// ---- requests ----

NetlinkRequests::NetlinkRequests(Socket socket) : socket_(std::move(socket)) {}

Result<NetlinkRequests> NetlinkRequests::open() {
    auto socket = connect_route();
    if (!socket) return failure(std::move(socket.error()));
    nl_socket_disable_auto_ack(socket->get());
    const int fd = nl_socket_get_fd(socket->get());
    const int on = 1;
    // Only explanations are lost without these two.
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    const timeval timeout{answer_timeout_seconds, 0};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0) {
        return failure(Error::system("set up a netlink socket", errno));
    }
    return NetlinkRequests(std::move(*socket));
}

NetlinkResult<void> NetlinkRequests::change(const NetlinkMessage& request) {
    nlmsg_hdr(request.get())->nlmsg_flags |= NLM_F_ACK;
    return query(request, [](const nlmsghdr&) {});
}

NetlinkResult<void> NetlinkRequests::query(const NetlinkMessage& request, const Visit& visit) {
    for (int attempt = 1;; ++attempt) {
        nlmsghdr* header = nlmsg_hdr(request.get());
        header->nlmsg_flags |= NLM_F_REQUEST;
        header->nlmsg_seq = nl_socket_use_seq(socket_.get());
        header->nlmsg_pid = nl_socket_get_local_port(socket_.get());
        ssize_t sent;
        do {
            sent = ::send(nl_socket_get_fd(socket_.get()), header, header->nlmsg_len, 0);
        } while (sent < 0 && errno == EINTR);
        if (sent < 0) return tl::unexpected(system_error(errno));

        bool torn = false;
        auto answer = read_answer(header->nlmsg_seq, visit, torn);
        if (!answer || !torn) return answer;
        // What kept changing keeps being reported as events too; the last dump is good enough.
        if (attempt == torn_dump_attempts) return {};
    }
}

NetlinkResult<void> NetlinkRequests::read_answer(std::uint32_t sequence, const Visit& visit,
                                                 bool& torn) {
    alignas(nlmsghdr) std::array<std::uint8_t, datagram_size> buffer;
    bool done = false;
    NetlinkError error;
    while (!done) {
        const auto size = receive(nl_socket_get_fd(socket_.get()), buffer);
        if (!size) {
            if (size.error().code != EAGAIN) return tl::unexpected(size.error());
            return tl::unexpected(NetlinkError{ETIMEDOUT, "no answer from the kernel"});
        }
        for_each_message(std::span(buffer).first(*size), [&](const nlmsghdr& header) {
            if (header.nlmsg_seq != sequence) return true;  // late answer to a timed-out request
            if (header.nlmsg_flags & NLM_F_DUMP_INTR) torn = true;
            if (header.nlmsg_type == NLMSG_ERROR) {
                error = explain(header);
                done = true;
            } else if (header.nlmsg_type == NLMSG_DONE) {
                const auto code = fixed_part<int>(header);
                if (code && *code < 0) error = system_error(-*code);
                done = true;
            } else {
                visit(header);
                done = (header.nlmsg_flags & NLM_F_MULTI) == 0;
            }
            return !done;
        });
    }
    if (error.code != 0) return tl::unexpected(std::move(error));
    return {};
}

// ---- events ----

// Lives on in the handler that waits for the descriptor; `stopped_` keeps that one from calling
// into an owner that is gone.
class NetlinkEvents::Reader : public std::enable_shared_from_this<Reader> {
public:
    Reader(boost::asio::io_context& io, Socket socket, OnMessage on_message, OnOverrun on_overrun)
        : socket_(std::move(socket)),
          descriptor_(io, nl_socket_get_fd(socket_.get())),
          on_message_(std::move(on_message)),
          on_overrun_(std::move(on_overrun)) {}
    ~Reader() { descriptor_.release(); }  // socket_ closes it

    void wait() {
        descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                               [self = shared_from_this()](const boost::system::error_code& error) {
                                   if (error || self->stopped_) return;
                                   self->read(datagrams_per_turn);
                                   if (!self->stopped_) self->wait();
                               });
    }

    void stop() {
        stopped_ = true;
        boost::system::error_code ignored;
        descriptor_.cancel(ignored);
    }

    void read(int limit) {
        for (int i = 0; i < limit && !stopped_; ++i) {
            const auto size = receive(nl_socket_get_fd(socket_.get()), buffer_);
            if (!size && size.error().code == EAGAIN) {
                // Once it has lost one, the kernel queues no further event until the socket is
                // empty: only now is a dump newer than all that was read.
                if (std::exchange(overrun_, false)) on_overrun_();
                return;
            }
            if (!size) {
                overrun_ = true;  // ENOBUFS, and anything else that lost a datagram
                continue;
            }
            for_each_message(std::span(buffer_).first(*size), [this](const nlmsghdr& header) {
                if (header.nlmsg_type >= NLMSG_MIN_TYPE) on_message_(header);
                return !stopped_;
            });
        }
    }

private:
    Socket socket_;
    boost::asio::posix::stream_descriptor descriptor_;
    OnMessage on_message_;
    OnOverrun on_overrun_;
    bool overrun_ = false;
    bool stopped_ = false;
    alignas(nlmsghdr) std::array<std::uint8_t, datagram_size> buffer_;
};

NetlinkEvents::NetlinkEvents(std::shared_ptr<Reader> reader) : reader_(std::move(reader)) {
    reader_->wait();
}

NetlinkEvents::~NetlinkEvents() {
    reader_->stop();
}

void NetlinkEvents::catch_up() {
    reader_->read(datagrams_per_catch_up);
}

Result<std::unique_ptr<NetlinkEvents>> NetlinkEvents::open(boost::asio::io_context& io,
                                                           std::initializer_list<int> groups,
                                                           OnMessage on_message,
                                                           OnOverrun on_overrun,
                                                           int receive_buffer) {
    auto socket = connect_route();
    if (!socket) return failure(std::move(socket.error()));
    const int fd = nl_socket_get_fd(socket->get());
    // Beyond the system's limit where that is allowed; else as much as is.
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer) != 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    if (nl_socket_set_nonblocking(socket->get()) < 0) {
        return failure(Error::system("set up a netlink socket", errno));
    }
    for (const int group : groups) {
        if (nl_socket_add_membership(socket->get(), group) < 0) {
            return failure(
                Error::system("subscribe to netlink group " + std::to_string(group), errno));
        }
    }
    return std::unique_ptr<NetlinkEvents>(new NetlinkEvents(std::make_shared<Reader>(
        io, std::move(*socket), std::move(on_message), std::move(on_overrun))));
}

}  // namespace bascule::node
