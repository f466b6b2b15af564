// SPDX-License-Identifier: Apache-2.0
// Many flows through an engine's program at once, by the wrapper of packet_bench.
#pragma once

#include <cstdint>

#include "bench/driver.h"
#include "engine.h"
#include "scene.h"

namespace bascule::test {

// The wrapper's template: a TCP packet to the family's web service.
Bytes crowd_packet(const Family& family, std::uint8_t flags, std::uint32_t sequence = 1000);

// Which of the wrapper's flows a session is of.
std::uint32_t flow_number(const dataplane::SessionKey& key);

class Crowd {
public:
    // Throws std::runtime_error when the wrapper cannot be loaded.
    explicit Crowd(Engine& engine);

    // A packet of each of `count` flows, from flow `first` on.
    void send(const Bytes& frame, std::uint32_t count, std::uint32_t first = 0);
    // The same in the making: the frame is set, and rounds are run by whoever calls run().
    void aim(const Bytes& frame, std::uint32_t first);
    void run(std::uint32_t count) const;
    // SYN and ACK of each.
    void establish(const Family& family, std::uint32_t count, std::uint32_t first = 0);

private:
    bench::Driver driver_;
};

}  // namespace bascule::test
