// SPDX-License-Identifier: Apache-2.0
// A node's session table, with two doors: the data plane's, which may do
// anything, and the replica's (SessionStore), whose every write is held to the
// truth.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "sim/host_clock.h"
#include "sim/truth.h"
#include "sync/session_store.h"

namespace bascule::sim {

class Table final : public sync::SessionStore {
public:
    // All outlive it. `now` is the world's.
    Table(const Plan& plan, const Truth& truth, const HostClock& clock, const Time& now);

    using Slot = std::optional<sync::StoredSession>;

    // ---- the data plane's door ----
    const Slot& at(std::size_t flow) const { return slots_[flow]; }
    // False: no room.
    bool write(std::size_t flow, const sync::StoredSession& session);
    void remove(std::size_t flow);
    // A peer's copy was idle for too long, as far as is known here.
    void lapse(std::size_t flow);
    const std::optional<Time>& lapsed(std::size_t flow) const { return lapsed_[flow]; }
    void clear();
    std::vector<Slot> copy() const { return slots_; }
    void restore(std::vector<Slot> slots);
    void set_known(std::set<sync::TargetId> targets);
    const std::set<sync::TargetId>& known() const { return known_; }

    // Told of every change, before it: for --verbose.
    void set_listener(std::function<void(std::size_t flow, const Slot& after)> listener) {
        listener_ = std::move(listener);
    }
    // Rises with every change of what a comparison of tables sees.
    std::uint64_t version() const { return version_; }
    Time changed() const { return changed_; }

    // ---- SessionStore ----
    sync::Seconds32 now() const override { return clock_.seconds(now_); }
    std::uint32_t established_limit(sync::ServiceId id) const override;
    bool knows(sync::ServiceId id, sync::TargetId target) const override;
    std::optional<sync::StoredSession> find(const sync::Flow& flow) const override;
    Put put(const sync::Flow& flow, const sync::StoredSession& session) override;
    void erase(const sync::Flow& flow) override;
    void walk(std::uint32_t part, std::uint32_t parts,
              const std::function<void(const sync::Flow&, const sync::StoredSession&)>& visit)
        const override;

private:
    std::size_t number_of(const sync::Flow& flow) const;
    void judge_put(std::size_t flow, const sync::StoredSession& session) const;
    void judge_over_own(std::size_t flow, const sync::StoredSession& here,
                        const sync::StoredSession& session) const;
    bool goes_on_elsewhere(std::size_t flow, const sync::StoredSession& here) const;
    void judge_end_of_own(std::size_t flow, const sync::StoredSession& here) const;
    void changed(std::size_t flow, const Slot& before);

    const Plan& plan_;
    const Truth& truth_;
    const HostClock& clock_;
    const Time& now_;
    std::vector<Slot> slots_;
    std::vector<std::optional<Time>> lapsed_;
    std::size_t taken_ = 0;
    std::set<sync::TargetId> known_;
    std::uint64_t version_ = 0;
    Time changed_{0};
    std::function<void(std::size_t, const Slot&)> listener_;
};

}  // namespace bascule::sim
