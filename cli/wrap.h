// SPDX-License-Identifier: Apache-2.0
// Sentences on lines of a terminal's width. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace bascule::cli {

// `text` in lines of at most `width` columns (0: no limit), each with its end, broken at spaces.
// `first` stands before the first line, and as much room before the others.
std::string wrap(std::string_view first, std::string_view text, std::size_t width);

}  // namespace bascule::cli
