// SPDX-License-Identifier: Apache-2.0
// The probing program on the tables of an engine, as the product loads it; run like the engine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/address.h"
#include "engine.h"

namespace bascule::test {

// The stack's end of the pair, to which answers are addressed; and an index that no interface has:
// BPF_PROG_TEST_RUN sends nothing.
inline constexpr Mac stack_mac{{0x02, 0, 0, 0, 0x77, 0x01}};
inline constexpr std::uint32_t pair_index = 4242;

class Prober {
public:
    // Throws std::runtime_error when it cannot be loaded. `engine` outlives it.
    explicit Prober(Engine& engine);
    ~Prober();

    Outcome run(const Bytes& frame) const;
    // Whether there is a pair to give answers to.
    void set_pair(bool is_there) const;
    // No probe is under way, nothing is noted, and no address sends probes.
    void forget();
    // No address sends probes; those under way stay known.
    void forget_sources();
    // Flows of probes that are known.
    std::size_t flows() const;

private:
    struct Loaded;
    Engine& engine_;
    std::unique_ptr<Loaded> loaded_;
};

// The address that a probe of the backend in this slot is sent to.
Address made_up(bool v4, std::uint16_t slot, std::uint8_t generation);

}  // namespace bascule::test
