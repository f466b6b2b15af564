// SPDX-License-Identifier: Apache-2.0
#include "base/suggestion.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace bascule {
namespace {

constexpr std::size_t longest = 40;

// Levenshtein's, for short words.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

}  // namespace

std::string_view nearest_word(std::string_view text, const std::vector<std::string_view>& words) {
    if (text.size() > longest) return {};
    std::size_t nearest = 1 + text.size() / 4;
    std::string_view best;
    for (const std::string_view word : words) {
        const std::size_t distance = edit_distance(text, word);
        if (distance > nearest || (distance == nearest && !best.empty())) continue;
        nearest = distance;
        best = word;
    }
    return best;
}

}  // namespace bascule
