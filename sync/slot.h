// SPDX-License-Identifier: Apache-2.0
// Room for one value between threads, neither of which ever waits for the other: no lock that a
// thread without its real-time priority could hold.
#pragma once

#include <atomic>
#include <memory>

namespace bascule::sync {

template <typename T>
class Slot {
public:
    Slot() = default;
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot() { delete value_.load(); }

    // What lay there and nobody has taken comes back.
    std::unique_ptr<T> put(std::unique_ptr<T> value) {
        return std::unique_ptr<T>(value_.exchange(value.release(), std::memory_order_acq_rel));
    }
    // Nullptr: nothing there.
    std::unique_ptr<T> take() {
        return std::unique_ptr<T>(value_.exchange(nullptr, std::memory_order_acq_rel));
    }

private:
    std::atomic<T*> value_{nullptr};
};

}  // namespace bascule::sync
