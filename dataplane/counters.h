// SPDX-License-Identifier: Apache-2.0
// Per-CPU counters, added up. Thread: control. A counter that cannot be read is 0: counting never
// stops anything.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/dataplane.h"

namespace bascule::dataplane {

class Counters {
public:
    struct Fds {
        int service_traffic, backend_traffic, drops, events;
    };
    // Descriptors stay the caller's.
    explicit Counters(Fds fds);

    Traffic service(std::uint16_t slot) const;
    Traffic backend(std::uint16_t slot) const;
    std::vector<Named> drops() const;
    std::vector<Named> events() const;

    // For a slot that begins anew.
    Result<void> zero_service(std::uint16_t slot);
    Result<void> zero_backend(std::uint16_t slot);

private:
    Traffic traffic(int fd, std::uint32_t slot) const;
    Result<void> zero(int fd, std::uint32_t slot);
    std::uint64_t total(int fd, std::uint32_t index) const;

    Fds fds_;
    std::size_t cpus_;
};

}  // namespace bascule::dataplane
