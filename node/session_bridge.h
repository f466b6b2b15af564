// SPDX-License-Identifier: Apache-2.0
// The session table as replication sees it: joins the data plane's table, which knows slots, and
// SessionIds, which tell what they mean.
//
// A slot is never given a session of whom it no longer belongs to. The control thread takes back
// what a plan retires (set_ids) before it carries the plan out; put() and erase() hold the same
// lock from their look at the ids to the end of the write. So when a slot is freed, nobody is about
// to write it, and nobody will until it means something again.
//
// Thread: the session thread's, but for set_ids().
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "dataplane/session_table.h"
#include "node/session_ids.h"
#include "sync/session_store.h"

namespace bascule::node {

class SessionBridge final : public sync::SessionStore {
public:
    // `clock`: the data plane's seconds.
    SessionBridge(dataplane::SessionTable& table, std::function<std::uint32_t()> clock);

    // Any thread. After it has returned, no session is put by earlier ids.
    void set_ids(SessionIds ids);
    // The newest, once and for all that the caller does with them.
    std::shared_ptr<const SessionIds> ids() const;

    // What is to be told of a session that the data plane announces: what the table says of it now.
    // Announcements of one flow come by the logs of several CPUs, in any order; the last one that
    // is read finds the last state. Only the end of what is no longer there is told by the
    // announcement. Nullopt: nothing, or of no service or backend that is known by now.
    std::optional<sync::SessionRecord> record_of(const bsc_delta& delta) const;
    // An established session that ended by idleness, or goes on. As above.
    std::optional<sync::SessionRecord> ended(const dataplane::Session& session) const;
    bool describe(const dataplane::Session& session, sync::Flow& flow,
                  sync::StoredSession& stored) const;

    sync::Seconds32 now() const override { return clock_(); }
    std::uint32_t established_limit(sync::ServiceId service) const override;
    bool knows(sync::ServiceId service, sync::TargetId target) const override;
    // Its target is 0 when the backend is no longer in the tables.
    std::optional<sync::StoredSession> find(const sync::Flow& flow) const override;
    // A flow that the service can never have is of an unknown target, too.
    Put put(const sync::Flow& flow, const sync::StoredSession& session) override;
    void erase(const sync::Flow& flow) override;
    void walk(std::uint32_t part, std::uint32_t parts,
              const std::function<void(const sync::Flow&, const sync::StoredSession&)>& visit)
        const override;

private:
    const SessionIds& newest() const;
    static bool describe(const SessionIds& ids, const dataplane::Session& session,
                         std::uint32_t now, sync::Flow& flow, sync::StoredSession& stored);

    dataplane::SessionTable& table_;
    std::function<std::uint32_t()> clock_;
    mutable std::mutex lock_;
    std::shared_ptr<const SessionIds> published_;  // under lock_
    std::atomic<std::uint64_t> serial_{0};         // of it
    // The session thread's own hold on what was published, so that a look costs no lock.
    mutable std::shared_ptr<const SessionIds> seen_;
    mutable std::uint64_t seen_serial_ = 0;
};

}  // namespace bascule::node
