// SPDX-License-Identifier: Apache-2.0
// A process that ends when the one that started it does, however that ends.
#pragma once

#include <sys/types.h>

#include <functional>

#include "base/result.h"

namespace bascule::bench {

class Child {
public:
    // `work` runs in the child, whose exit status it returns.
    static Result<Child> start(const std::function<int()>& work);
    Child(Child&& other) noexcept;
    Child& operator=(Child&&) = delete;
    ~Child();  // kills it

    // Until it has ended by itself; its exit status, 128 and more if by a signal.
    int wait();

private:
    explicit Child(pid_t pid) : pid_(pid) {}

    pid_t pid_;  // 0: none, or it has ended
};

}  // namespace bascule::bench
