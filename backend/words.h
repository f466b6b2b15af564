// SPDX-License-Identifier: Apache-2.0
// Numbers as people say them. Pure.
#pragma once

#include <cstddef>
#include <string>

namespace bascule::backend {

// "1 port", "2 ports": of words whose plural ends in s.
inline std::string counted(std::size_t n, const std::string& one) {
    return std::to_string(n) + " " + one + (n == 1 ? "" : "s");
}

}  // namespace bascule::backend
