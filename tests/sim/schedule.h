// SPDX-License-Identifier: Apache-2.0
// What is to happen, in order of time; of one moment, in the order in which it
// was said.
#pragma once

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "sim/plan.h"

namespace bascule::sim {

class Schedule {
public:
    using Action = std::function<void()>;

    const Time& now() const { return now_; }
    void at(Time when, Action action) {
        heap_.push_back({std::max(when, now_), ++count_, std::move(action)});
        std::ranges::push_heap(heap_, later);
    }
    void after(Time span, Action action) { at(now_ + span, std::move(action)); }
    // Takes the next one. False: it would be after `end`, which is reached.
    bool step(Time end) {
        if (heap_.empty() || heap_.front().when > end) {
            now_ = end;
            return false;
        }
        std::ranges::pop_heap(heap_, later);
        Entry next = std::move(heap_.back());
        heap_.pop_back();
        now_ = next.when;
        next.action();
        return true;
    }

private:
    struct Entry {
        Time when;
        std::uint64_t number;
        Action action;
    };
    static bool later(const Entry& one, const Entry& other) {
        return one.when != other.when ? one.when > other.when : one.number > other.number;
    }

    std::vector<Entry> heap_;
    Time now_{0};
    std::uint64_t count_ = 0;
};

}  // namespace bascule::sim
