// SPDX-License-Identifier: Apache-2.0
// The link that VIPs are on, as one more path: heartbeats as frames of their own, from interface to
// MAC address, for nodes that no configured path joins any more. It needs no address, no route and
// no neighbour entry, all of which may be what is broken.
//
// A frame is a sealed heartbeat (seal.h) behind an Ethernet header of `wire_protocol`; from whom it
// is tells its seal, not its MAC address. It hears the links that VIPs are on, as the kernel hands
// their frames up: of a bond those of its parts, of a VLAN its own, and of the devices below them
// none. Links are known by name, for indexes change when one is made anew.
//
// Nothing waits, and what strangers can make it cost is bounded: the kernel drops what does not
// begin like ours or comes by another link, and of the rest no more is read in an interval than
// peers could have sent.
// Thread: the heartbeat thread's.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/interface_index.h"
#include "base/result.h"
#include "sync/heartbeat_port.h"
#include "sync/moment.h"
#include "sync/seal.h"

namespace bascule::sync {

// EtherType for local experiments (IEEE 802, "Local Experimental Ethertype 1").
inline constexpr std::uint16_t wire_protocol = 0x88b5;

class DatagramBatch;

class HeartbeatWire {
public:
    using Take = std::function<void(const WirePlace& from, std::span<const std::uint8_t> datagram)>;

    explicit HeartbeatWire(Nanoseconds interval);

    // Interfaces that VIPs are on; what comes by others is not heard. None at first.
    void set_links(std::vector<std::string> names);
    // Opens it when it is closed, and looks which interfaces have these names now. About every
    // second.
    void look_after();
    // Another interval has begun: as many frames again.
    void refill() { left_ = most_in_interval_; }
    // To be polled; -1: there is nothing to be read now.
    int readable() const { return left_ > 0 ? socket_.get() : -1; }
    // As HeartbeatSocket's.
    void read(DatagramBatch& batch, const Take& take, bool announced);
    // True: it has left for the kernel.
    bool send(const WirePlace& to, std::span<const std::uint8_t> datagram);

    void count_unopened(Unopened why) { ++state_.unopened[static_cast<std::size_t>(why)]; }
    WireState state();

private:
    static Result<Descriptor> open();
    void find_links();
    bool hears(const WirePlace& place) const;
    void count_drops();

    std::size_t most_in_interval_;
    Descriptor socket_;
    std::vector<std::string> link_names_;
    InterfaceLookup lookup_;
    std::vector<int> links_;  // indexes of those that are there; the kernel's filter has the same
    std::size_t left_;        // frames that may still be read in this interval
    WireState state_;
};

}  // namespace bascule::sync
