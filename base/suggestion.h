// SPDX-License-Identifier: Apache-2.0
// What somebody may have meant who mistyped a word. Pure.
#pragma once

#include <string_view>
#include <vector>

namespace bascule {

// The word that is nearest to the text, counted in letters to insert, take away or exchange; empty
// when none is near, or the text is longer than any sane word.
std::string_view nearest_word(std::string_view text, const std::vector<std::string_view>& words);

}  // namespace bascule
