// SPDX-License-Identifier: Apache-2.0
#include "sync/path_choice.h"

#include <algorithm>
#include <utility>

namespace bascule::sync {

bool PathChoice::better_than(std::size_t path) const {
    return !alive(path) && std::ranges::any_of(paths_, &Path::alive);
}

std::size_t PathChoice::next() const {
    return least(in_a_row_ < paths_.size());
}

std::size_t PathChoice::least(bool heartbeats_count) const {
    const auto rank = [&](const Path& path) {
        return std::pair(heartbeats_count && !path.alive, path.failed);
    };
    return static_cast<std::size_t>(std::ranges::min_element(paths_, {}, rank) - paths_.begin());
}

void PathChoice::failed(std::size_t path) {
    paths_.at(path).failed = ++failures_;
    ++in_a_row_;
}

void PathChoice::succeeded() {
    in_a_row_ = 0;
}

}  // namespace bascule::sync
