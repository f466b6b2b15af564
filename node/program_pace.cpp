// SPDX-License-Identifier: Apache-2.0
#include "node/program_pace.h"

#include <algorithm>

namespace bascule::node {

bool ProgramPace::is_fought(const std::string& interface, Time now) const {
    const auto row = rows_.find(interface);
    return row != rows_.end() && row->second.slowly && now - row->second.last.back() < lately;
}

bool ProgramPace::may(const std::string& interface, Time now) const {
    return !is_fought(interface, now) || now - rows_.at(interface).last.back() >= slow;
}

bool ProgramPace::note(const std::string& interface, Time now) {
    const bool fought = is_fought(interface, now);
    Row& row = rows_[interface];
    ++restored_;
    if (row.slowly && !fought) row = {};
    row.last.push_back(now);
    if (row.last.size() > at_once) row.last.pop_front();
    if (fought || row.last.size() < at_once || now - row.last.front() > lately) return false;
    row.slowly = true;
    return true;
}

void ProgramPace::keep(const std::vector<std::string>& interfaces) {
    std::erase_if(rows_, [&](const auto& row) {
        return std::find(interfaces.begin(), interfaces.end(), row.first) == interfaces.end();
    });
}

}  // namespace bascule::node
