// SPDX-License-Identifier: Apache-2.0
// Texts of peers that people will read. Pure; any thread.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace bascule::sync {

// What is not printable ASCII becomes '?': no peer writes to a terminal or breaks a log line or a
// JSON text.
inline std::string shown(std::string_view text) {
    std::string out(text);
    std::ranges::replace_if(
        out, [](char c) { return c < ' ' || c > '~'; }, '?');
    return out;
}

}  // namespace bascule::sync
