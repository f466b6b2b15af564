// SPDX-License-Identifier: Apache-2.0
// Route netlink: a socket for requests, and a socket for what the kernel reports by itself.
//
// The two are apart so that the answer to a request never has to be picked out of a flood of
// events. Thread: control. Requests block, but only on the kernel of this host, which answers in
// microseconds; nothing here waits for the network.
#pragma once

#include <linux/netlink.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/address.h"
#include "base/result.h"

struct nl_msg;
struct nl_sock;

namespace bascule::node {

// What the kernel said no with: errno, and its own explanation where it gives one.
struct NetlinkError {
    int code = 0;
    std::string text;  // "File exists" or "No such device (IPv6 is disabled on this device)"

    Error to_error() const { return Error(text); }
};

template <typename T>
using NetlinkResult = tl::expected<T, NetlinkError>;

struct NetlinkFree {
    void operator()(nl_msg* message) const;
    void operator()(nl_sock* socket) const;
};

// A request under construction: header, the family's fixed part, then attributes.
class NetlinkMessage {
public:
    NetlinkMessage(std::uint16_t type, std::uint16_t flags);

    // The fixed part that follows the header (ifinfomsg, ifaddrmsg, ndmsg, rtmsg); first of all.
    template <typename T>
    NetlinkMessage& fixed(const T& part) {
        append(&part, sizeof part);
        return *this;
    }
    NetlinkMessage& attribute(int type, std::span<const std::uint8_t> bytes);
    NetlinkMessage& attribute(int type, std::uint8_t value);
    NetlinkMessage& attribute(int type, std::uint32_t value);
    NetlinkMessage& attribute(int type, const std::string& text);  // with its closing zero
    NetlinkMessage& attribute(int type, const Address& address);   // 4 or 16 bytes
    // An attribute of what `fill` appends to this message.
    NetlinkMessage& nested(int type, const std::function<void(NetlinkMessage&)>& fill);

    nl_msg* get() const { return message_.get(); }

private:
    void append(const void* data, std::size_t size);

    std::unique_ptr<nl_msg, NetlinkFree> message_;
};

// The attributes of a message, by type, each checked for its length before it is read.
class NetlinkAttributes {
public:
    // `fixed_size`: of the family's fixed part. Nullopt: the message is shorter, or malformed.
    static std::optional<NetlinkAttributes> parse(const nlmsghdr& message, std::size_t fixed_size);
    static std::optional<NetlinkAttributes> parse_nested(std::span<const std::uint8_t> bytes);

    std::optional<std::span<const std::uint8_t>> bytes(int type) const;
    std::optional<std::uint8_t> u8(int type) const;
    std::optional<std::uint16_t> u16(int type) const;
    std::optional<std::uint32_t> u32(int type) const;
    std::optional<std::string> text(int type) const;
    std::optional<Address> address(int type) const;  // of 4 or 16 bytes
    std::optional<Mac> mac(int type) const;          // of 6 bytes, not all zero

private:
    static constexpr int max_type = 127;
    std::array<const nlattr*, max_type + 1> table_{};
};

// The family's fixed part of a message; nullopt: the message is shorter.
template <typename T>
std::optional<T> fixed_part(const nlmsghdr& message) {
    if (message.nlmsg_len < NLMSG_LENGTH(sizeof(T))) return std::nullopt;
    T part;
    std::memcpy(&part, reinterpret_cast<const std::uint8_t*>(&message) + NLMSG_HDRLEN, sizeof part);
    return part;
}

// AF_INET or AF_INET6.
std::uint8_t family_of(const Address& address);

// The socket for requests. Movable; a moved-from one is not used.
class NetlinkRequests {
public:
    using Visit = std::function<void(const nlmsghdr&)>;

    static Result<NetlinkRequests> open();

    // Sends a request that changes something and waits for the kernel's word on it.
    NetlinkResult<void> change(const NetlinkMessage& request);

    // Sends a request and shows each message of the answer, one or a whole dump. `visit` sees only
    // messages with a sound header. A dump that the kernel says was torn by a change is asked for
    // again, so `visit` may see an entry more than once.
    NetlinkResult<void> query(const NetlinkMessage& request, const Visit& visit);

private:
    explicit NetlinkRequests(std::unique_ptr<nl_sock, NetlinkFree> socket);
    NetlinkResult<void> read_answer(std::uint32_t sequence, const Visit& visit, bool& torn);

    std::unique_ptr<nl_sock, NetlinkFree> socket_;
};

// A subscription to multicast groups (RTNLGRP_*). Callbacks come from the io_context and from
// catch_up(), never from inside open(). Destroying it ends them at once.
class NetlinkEvents {
public:
    using OnMessage = std::function<void(const nlmsghdr&)>;
    // The kernel dropped events because this socket was full. Called once the socket is read empty,
    // so that a dump made in it is newer than every event seen before.
    using OnOverrun = std::function<void()>;

    static Result<std::unique_ptr<NetlinkEvents>> open(boost::asio::io_context& io,
                                                       std::initializer_list<int> groups,
                                                       OnMessage on_message, OnOverrun on_overrun,
                                                       int receive_buffer = 1 << 20);
    ~NetlinkEvents();
    NetlinkEvents(const NetlinkEvents&) = delete;
    NetlinkEvents& operator=(const NetlinkEvents&) = delete;

    // Takes in what is queued, without waiting: for an owner about to act on what it knows. Not
    // from inside a callback.
    void catch_up();

private:
    class Reader;
    explicit NetlinkEvents(std::shared_ptr<Reader> reader);

    std::shared_ptr<Reader> reader_;
};

}  // namespace bascule::node
