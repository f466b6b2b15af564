// SPDX-License-Identifier: Apache-2.0
#include "sync/common_targets.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace bascule::sync {

bool CommonTargets::set_own(const std::vector<TargetId>& sorted) {
    own_ = sorted;
    return join();
}

bool CommonTargets::set_theirs(std::vector<TargetId> sorted) {
    theirs_ = std::move(sorted);
    return join();
}

void CommonTargets::forget_theirs() {
    theirs_.reset();
    join();
}

bool CommonTargets::join() {
    std::vector<TargetId> both;
    if (theirs_)
        std::set_intersection(own_.begin(), own_.end(), theirs_->begin(), theirs_->end(),
                              std::back_inserter(both));
    const bool grown = std::any_of(both.begin(), both.end(),
                                   [this](TargetId each) { return !common_.contains(each); });
    hash_ = prints_.of(both);
    common_ = std::unordered_set<TargetId>(both.begin(), both.end());
    return grown;
}

}  // namespace bascule::sync
