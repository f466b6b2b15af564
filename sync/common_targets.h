// SPDX-License-Identifier: Apache-2.0
// Which targets both this node and a peer can store: tables are compared by sessions of those
// alone. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_set>
#include <vector>

#include "sync/fingerprint.h"
#include "sync/session_record.h"

namespace bascule::sync {

class CommonTargets {
public:
    explicit CommonTargets(const Fingerprinter& prints) : prints_(prints) {}

    // True: there are some now that were not common before, whose sessions were left out so far.
    bool set_own(const std::vector<TargetId>& sorted);
    bool set_theirs(std::vector<TargetId> sorted);
    // A new stream: the peer has not said.
    void forget_theirs();
    bool known() const { return theirs_.has_value(); }

    bool contains(TargetId target) const { return common_.contains(target); }
    // Equal on both sides when they hold the same for common.
    std::uint64_t hash() const { return hash_; }

private:
    bool join();

    const Fingerprinter& prints_;
    std::vector<TargetId> own_;
    std::optional<std::vector<TargetId>> theirs_;
    std::unordered_set<TargetId> common_;
    std::uint64_t hash_ = 0;
};

}  // namespace bascule::sync
