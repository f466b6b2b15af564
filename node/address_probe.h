// SPDX-License-Identifier: Apache-2.0
// Asking the wire whether an address is taken, and telling it who has it now.
//
// IPv4: ARP probes (RFC 5227); IPv6: duplicate address detection (RFC 4862), both through a packet
// socket of their own, because the address is not this host's yet. Thread: that of the io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/descriptor.h"
#include "base/result.h"
#include "node/links.h"

namespace bascule::node {

struct ProbeTiming {
    int probes = 3;
    std::chrono::milliseconds interval{150};   // between two probes
    std::chrono::milliseconds last_wait{200};  // after the last one
};

// Any number of probes at the same time. Destroying it ends them without calling back.
class DuplicateProbe {
public:
    // The MAC address that has it, as soon as one answers; nullopt when none did in time. An error
    // says that the question could not be put: "probe 10.9.0.100 on eth0: Network is down".
    using Done = std::function<void(Result<std::optional<Mac>>)>;

    explicit DuplicateProbe(boost::asio::io_context& io, ProbeTiming timing = {});
    ~DuplicateProbe();
    DuplicateProbe(const DuplicateProbe&) = delete;
    DuplicateProbe& operator=(const DuplicateProbe&) = delete;

    // Calls `done` exactly once, from the io_context, within probes * interval + last_wait. Frames
    // from the link's own MAC address are passed over, so an address that this host has already is
    // reported as free. A link without carrier is an error: silence would prove nothing there.
    void start(const Link& link, const Address& address, Done done);

private:
    class Probe;

    boost::asio::io_context& io_;
    ProbeTiming timing_;
    std::vector<std::weak_ptr<Probe>> running_;
};

// Tells links who has an address. It keeps its socket: to close a packet socket takes the kernel a
// grace period of RCU, ten milliseconds as a rule, which no takeover has to spare. One thread.
class AddressAnnouncer {
public:
    // Says once on the link that `address` is at the link's MAC address: gratuitous ARP as request
    // and as reply, since hosts differ in which of them they learn from, or an unsolicited
    // neighbour advertisement. Such frames get lost; the caller repeats it.
    Result<void> announce(const Link& link, const Address& address);

private:
    Descriptor socket_;  // opened at its first use
};

}  // namespace bascule::node
