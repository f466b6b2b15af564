// SPDX-License-Identifier: Apache-2.0
// What a real server asks of and changes in its network by route netlink: addresses, links, and
// whether anybody has filters on an interface.
//
// Single-threaded. Requests block, but only on the kernel of this host.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/descriptor.h"
#include "base/result.h"

struct nlmsghdr;

namespace bascule::backend {

struct HostAddress {
    Address address;
    std::uint8_t prefix_length = 0;
    std::uint32_t ifindex = 0;
    std::uint8_t origin = 0;  // IFA_PROTO; 0: not said
};

struct Link {
    std::uint32_t ifindex = 0;
    std::string name;
    std::uint32_t mtu = 0;
    bool is_ethernet = false;
    bool is_up = false;
    Mac mac;
};

class Netlink {
public:
    static Result<Netlink> open();
    // Over a socket that is there already: the kernel's, or a test's in its place.
    explicit Netlink(Descriptor socket) : socket_(std::move(socket)) {}

    Result<std::vector<HostAddress>> addresses();
    Result<std::vector<Link>> links();

    // /32 or /128 on the loopback interface, marked as ours, never chosen as a source by the kernel
    // itself. False: it is there already.
    Result<bool> add_to_loopback(const Address& address);
    // False: it is not there.
    Result<bool> remove_from_loopback(const Address& address);

    // Whether the interface has a clsact qdisc; whether there is any filter on its two hooks.
    Result<bool> has_clsact(std::uint32_t ifindex);
    Result<bool> has_filters(std::uint32_t ifindex);

private:
    using Visit = std::function<void(const nlmsghdr&)>;

    // 0, or the errno that the kernel answers a change with.
    Result<int> change(nlmsghdr& request);
    // `restart` forgets what was visited: a dump that a change has torn is asked for again, whole.
    Result<void> dump(nlmsghdr& request, const std::function<void()>& restart, const Visit& visit);
    Result<int> receive(std::uint32_t sequence, const Visit& visit);
    Result<int> change_loopback(const Address& address, std::uint16_t type, std::uint16_t flags);

    Descriptor socket_;
    std::uint32_t sequence_ = 0;
    std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(std::size_t{1} << 16);
};

// Tells that addresses or links changed, not what: a descriptor to poll.
class NetlinkEvents {
public:
    static Result<NetlinkEvents> open();
    int fd() const { return socket_.get(); }
    // Reads what is queued. An overrun is a change, too.
    void drain();

private:
    explicit NetlinkEvents(Descriptor socket) : socket_(std::move(socket)) {}

    Descriptor socket_;
};

// IFA_PROTO of what this program adds, so that it is told from what others add.
inline constexpr std::uint8_t own_address_origin = 0xbc;

}  // namespace bascule::backend
