// SPDX-License-Identifier: Apache-2.0
// The memory of an mmap-able array map.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"

namespace bascule::dataplane {

class Mapping {
public:
    Mapping() = default;
    // `bytes`: entries times value size.
    static Result<Mapping> of_map(int fd, std::size_t bytes);
    Mapping(Mapping&& other) noexcept;
    Mapping& operator=(Mapping&& other) noexcept;
    ~Mapping();

    template <typename T>
    std::span<T> as() const {
        return {static_cast<T*>(address_), bytes_ / sizeof(T)};
    }

private:
    void* address_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace bascule::dataplane
