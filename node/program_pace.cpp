// SPDX-License-Identifier: Apache-2.0
#include "node/program_pace.h"

#include <algorithm>
#include <utility>

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
    taken_off_.insert(interface);
    row.is_put_off = false;
    if (row.slowly && !fought) row = {};
    row.last.push_back(now);
    if (row.last.size() > at_once) row.last.pop_front();
    if (fought || row.last.size() < at_once || now - row.last.front() > lately) return false;
    row.slowly = true;
    return true;
}

bool ProgramPace::put_off(const std::string& interface) {
    const auto row = rows_.find(interface);
    return row != rows_.end() && !std::exchange(row->second.is_put_off, true);
}

void ProgramPace::put_back(const std::string& interface) {
    if (taken_off_.erase(interface) > 0) ++restored_;
}

void ProgramPace::keep(const std::vector<std::string>& interfaces) {
    const auto is_gone = [&](const std::string& name) {
        return std::find(interfaces.begin(), interfaces.end(), name) == interfaces.end();
    };
    std::erase_if(rows_, [&](const auto& row) { return is_gone(row.first); });
    std::erase_if(taken_off_, is_gone);
}

}  // namespace bascule::node
