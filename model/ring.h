// SPDX-License-Identifier: Apache-2.0
// A ring as a value: backend slots, a hundred thousand bytes of them, that never change once made.
// Copies share them, so that a table of a thousand rings is copied in no time, and two that share
// them are equal at a glance.
//
// Thread: any; copies may be in different threads.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace bascule::model {

// Empty: no backend takes new flows.
class Ring {
public:
    using Slots = std::vector<std::uint16_t>;
    using value_type = Slots::value_type;
    using const_iterator = Slots::const_iterator;
    using iterator = const_iterator;

    Ring() = default;
    // From what model/maglev has built, say.
    Ring(Slots slots) {
        if (!slots.empty()) slots_ = std::make_shared<const Slots>(std::move(slots));
    }
    Ring(std::initializer_list<std::uint16_t> slots) : Ring(Slots(slots)) {}
    Ring(std::size_t size, std::uint16_t slot) : Ring(Slots(size, slot)) {}

    const Slots& slots() const {
        static const Slots none;
        return slots_ ? *slots_ : none;
    }
    bool empty() const { return !slots_; }
    std::size_t size() const { return slots().size(); }
    std::uint16_t operator[](std::size_t index) const { return slots()[index]; }
    const_iterator begin() const { return slots().begin(); }
    const_iterator end() const { return slots().end(); }

    // Equal, and known to be without a look at the slots.
    bool shares(const Ring& other) const { return slots_ == other.slots_; }
    friend bool operator==(const Ring& one, const Ring& other) {
        return one.shares(other) || one.slots() == other.slots();
    }

private:
    std::shared_ptr<const Slots> slots_;  // none: empty
};

}  // namespace bascule::model
