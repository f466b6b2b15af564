// SPDX-License-Identifier: Apache-2.0
// A session as nodes tell each other of it: no slots, no map bytes.
#pragma once

#include <cstdint>

#include "base/address.h"
#include "model/tables.h"

namespace bascule::sync {

// A service, and a backend of a service: the first 8 bytes of a SHA-256 of what they are (address,
// ports, protocol; and the backend's address and port), never of names or slots. The same on every
// node and in every release. 0: none.
using ServiceId = std::uint64_t;
using TargetId = std::uint64_t;
ServiceId service_id(const model::ServiceKey& service);
TargetId target_id(const model::ServiceKey& service, const model::BackendKey& backend);

// Five-tuple; VIP and protocol stand in the service.
struct Flow {
    Address source;
    std::uint16_t source_port = 0;       // host order
    std::uint16_t destination_port = 0;  // host order
    ServiceId service = 0;

    auto operator<=>(const Flow&) const = default;
};

// Seconds of a node's own monotonic clock, as its data plane stamps sessions. Modulo 2^32.
using Seconds32 = std::uint32_t;

struct SessionRecord {
    enum class Kind : std::uint8_t {
        established = 1,  // begun, or moved to `target`
        refreshed = 2,    // goes on; its copies must not expire
        closed = 3,       // FIN or RST was seen: it is closing
        ended = 4,        // idle for too long at who saw it
        copy = 5,         // what the sender has from others, or cannot tell whose it is
    };
    Kind kind = Kind::established;
    Flow flow;
    TargetId target = 0;
    Seconds32 seen = 0;  // last packet, by the sender's clock; in a Batch beside it: see there

    bool operator==(const SessionRecord&) const = default;
};

}  // namespace bascule::sync
