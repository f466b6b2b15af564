// SPDX-License-Identifier: Apache-2.0
// A balancer of few lines: what the client's own kernel sends to a VIP comes to it by a tun device,
// and goes on to the server with another port, in a tunnel or as it is. Answers do not come by it.
//
// Its thread lives as long as the object.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "backend/packets.h"
#include "base/descriptor.h"

namespace bascule::test {

class Balancer {
public:
    // An IP packet on its way: wrapped, and sent.
    using Wrap = std::function<backend::Bytes(const backend::Bytes& packet)>;
    using Send = std::function<void(const backend::Bytes& packet)>;

    // In the network namespace of the caller. `tun` is made there, and is up.
    Balancer(std::uint16_t service_port, std::uint16_t server_port, Wrap wrap, Send send);
    ~Balancer();
    Balancer(const Balancer&) = delete;
    Balancer& operator=(const Balancer&) = delete;

private:
    void run();

    std::uint16_t service_port_;
    std::uint16_t server_port_;
    Wrap wrap_;
    Send send_;
    Descriptor tun_;
    std::atomic<bool> ends_{false};
    std::thread thread_;
};

// The packet with another destination port, where it is TCP or UDP to the first one; its checksum
// follows.
backend::Bytes with_port(backend::Bytes packet, std::uint16_t from, std::uint16_t to);

}  // namespace bascule::test
