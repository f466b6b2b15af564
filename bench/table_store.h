// SPDX-License-Identifier: Apache-2.0
// A session table of the data plane in plain memory, as replication sees it: one service, some
// backends. What is looked up by ids is looked up in hash tables, as a daemon does.
//
// Thread: that of the node whose it is.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "dataplane/session_table.h"
#include "sync/session_store.h"

namespace bascule::bench {

class TableStore : public sync::SessionStore {
public:
    static constexpr sync::ServiceId service = 0x5e41ce;
    static constexpr std::uint32_t limit = 3600;

    // `clock_start`: what its clock shows now.
    TableStore(std::uint64_t sessions, std::uint32_t clock_start);

    static sync::Flow flow(std::uint32_t number);
    static const std::vector<sync::TargetId>& targets();
    static sync::TargetId target_of(std::uint32_t number) {
        return targets()[number % targets().size()];
    }

    sync::Seconds32 now() const override;
    std::uint32_t established_limit(sync::ServiceId id) const override;
    bool knows(sync::ServiceId id, sync::TargetId target) const override;
    std::optional<sync::StoredSession> find(const sync::Flow& flow) const override;
    Put put(const sync::Flow& flow, const sync::StoredSession& session) override;
    void erase(const sync::Flow& flow) override;
    void walk(std::uint32_t part, std::uint32_t parts,
              const std::function<void(const sync::Flow&, const sync::StoredSession&)>& visit)
        const override;

    std::uint64_t size() const;

private:
    struct FreePages {
        void operator()(__u64* words) const;
    };
    static dataplane::SessionKey key_of(const sync::Flow& flow, std::uint16_t slot);

    std::uint32_t clock_start_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    std::unordered_map<sync::ServiceId, std::uint16_t> services_;
    std::unordered_map<sync::TargetId, std::uint16_t> backends_;
    std::unique_ptr<__u64, FreePages> words_;
    std::unique_ptr<dataplane::SessionTable> table_;
};

}  // namespace bascule::bench
