// SPDX-License-Identifier: Apache-2.0
// Tells a session that has another's value: every session's backend follows from its key, so
// whoever reads a session can say whether key and value belong together.
//
// Thread: any; counts are atomic.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include "dataplane/session_table.h"

namespace bascule::test {

class SessionChecker {
public:
    // The backend that the session of a key must have; 0: no session has this key.
    using BackendOf = std::function<std::uint16_t(const dataplane::SessionKey&)>;
    explicit SessionChecker(BackendOf backend_of) : backend_of_(std::move(backend_of)) {}

    void look(const dataplane::Session& session) {
        check(session.key, session.backend, backend_of_(session.key));
    }

    // The same for a reader that knows already what it must find.
    void check(const dataplane::SessionKey& key, std::uint16_t found, std::uint16_t expected) {
        seen_.fetch_add(1, std::memory_order_relaxed);
        if (found == expected && expected != 0) return;
        if (mismatches_.fetch_add(1, std::memory_order_relaxed) != 0) return;
        const std::scoped_lock lock(mutex_);
        first_ = key.source.to_string() + ":" + std::to_string(key.source_port) + " has backend " +
                 std::to_string(found) + " instead of " + std::to_string(expected);
    }

    std::uint64_t seen() const { return seen_; }
    std::uint64_t mismatches() const { return mismatches_; }
    std::string first_mismatch() const {
        const std::scoped_lock lock(mutex_);
        return first_;
    }

private:
    BackendOf backend_of_;
    std::atomic<std::uint64_t> seen_{0};
    std::atomic<std::uint64_t> mismatches_{0};
    mutable std::mutex mutex_;
    std::string first_;
};

}  // namespace bascule::test
