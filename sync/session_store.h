// SPDX-License-Identifier: Apache-2.0
// The session table as replication sees it: flows and targets by their ids. node/ has the real one
// over the data plane's table; tests and the simulator have one of theirs.
//
// Thread: the session thread's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "sync/session_record.h"

namespace bascule::sync {

struct StoredSession {
    enum class State : std::uint8_t { unproven, closing, established };
    State state = State::established;
    bool from_peer = false;  // brought by a peer, and no packet of it was seen here since
    TargetId target = 0;
    Seconds32 seen = 0;  // last packet, by this node's clock

    bool operator==(const StoredSession&) const = default;
};

class SessionStore {
public:
    virtual ~SessionStore() = default;

    virtual Seconds32 now() const = 0;
    // Idle limit of an established session of a service, seconds; 0: no such service here.
    virtual std::uint32_t established_limit(ServiceId service) const = 0;
    // Whether sessions of this target can be stored here now.
    virtual bool knows(ServiceId service, TargetId target) const = 0;

    virtual std::optional<StoredSession> find(const Flow& flow) const = 0;
    enum class Put { stored, unknown_target, no_room };
    // Inserts or overwrites. State unproven is a bug.
    virtual Put put(const Flow& flow, const StoredSession& session) = 0;
    virtual void erase(const Flow& flow) = 0;
    // Established and closing sessions of one of `parts` parts of the table; all parts together see
    // every session that is there all the while. Sessions whose service or backend is no longer in
    // the configuration are left out.
    virtual void walk(
        std::uint32_t part, std::uint32_t parts,
        const std::function<void(const Flow&, const StoredSession&)>& visit) const = 0;
};

}  // namespace bascule::sync
