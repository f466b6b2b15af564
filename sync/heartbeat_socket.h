// SPDX-License-Identifier: Apache-2.0
// One path of this node: a UDP socket at its address. Nothing waits, and what anybody can make it
// cost is bounded: the kernel drops what is of no peer's address, and beyond a hundred datagrams a
// millisecond (a peer's address can be forged) the rest stays in the socket's buffer until the next
// interval. Other paths are not concerned.
//
// Thread: the heartbeat thread's.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"
#include "model/config.h"
#include "sync/heartbeat_port.h"
#include "sync/seal.h"

namespace bascule::sync {

// Where the kernel puts datagrams, many at a time; shared by all paths.
class DatagramBatch {
public:
    static constexpr std::size_t most = 64;

    DatagramBatch();
    DatagramBatch(const DatagramBatch&) = delete;
    DatagramBatch& operator=(const DatagramBatch&) = delete;

    // How many have come; 0: none, or there is an error, which is as good.
    std::size_t receive(int socket);
    // A datagram that is too long is cut to one byte more than most_datagram.
    std::span<const std::uint8_t> datagram(std::size_t index) const;
    model::Endpoint source(std::size_t index) const;
    const sockaddr_storage& raw_source(std::size_t index) const { return sources_[index]; }

private:
    std::array<std::array<std::uint8_t, most_datagram + 1>, most> rooms_;
    std::array<sockaddr_storage, most> sources_{};
    std::array<iovec, most> parts_{};
    std::array<mmsghdr, most> headers_{};
};

class HeartbeatSocket {
public:
    using Take = std::function<void(std::size_t peer, std::span<const std::uint8_t> datagram)>;

    // `peers`: where each of them is on this path.
    HeartbeatSocket(model::Endpoint own, std::vector<model::Endpoint> peers, Nanoseconds interval);

    // Opens it when it is closed, closes it when its address has left this host. About every
    // second.
    void look_after();
    // Another interval has begun: as many datagrams again.
    void refill();
    // To be polled; -1: there is nothing to be read now.
    int readable() const;
    // Hands on what has come of peers' addresses; a few batches at most, then others are to have
    // their turn. `announced`: poll said that something is there. When nothing is, it costs as much
    // as a full batch: a socket that says so for ever must not keep a real-time thread busy.
    void read(DatagramBatch& batch, const Take& take, bool announced);
    // A closed one sends nothing, and that is no error. An empty datagram is one that could not be
    // made: counted as an error. True: it has left for the kernel.
    bool send(std::size_t peer, std::span<const std::uint8_t> datagram);

    void count_unopened(Unopened why) { ++state_.unopened[static_cast<std::size_t>(why)]; }
    PathState state();

private:
    Result<Descriptor> open() const;
    void close(std::string problem);
    void count_drops();
    std::string send_problem() const;

    std::vector<model::Endpoint> peers_;
    std::size_t most_in_interval_;
    Descriptor socket_;
    std::size_t left_;  // datagrams that may still be read in this interval
    PathState state_;
    std::uint32_t drops_seen_ = 0;  // by the kernel's count, of this socket
    std::vector<int> send_errors_;  // of the last one to each peer; 0: it went
};

}  // namespace bascule::sync
