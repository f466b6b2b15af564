// SPDX-License-Identifier: Apache-2.0
// From the words and numbers of a draft to values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>

#include "model/config_reader.h"

namespace bascule::model {

template <typename Enum>
struct Word {
    std::string_view text;
    Enum value;
};

inline constexpr Word<bool> booleans[] = {{"false", false}, {"true", true}};

// The readers have let pass what the schema lists; a word without a value here is a bug and throws.
template <typename Enum, std::size_t count>
Enum meaning(const Placed<std::string_view>& word, const Word<Enum> (&words)[count]) {
    for (const Word<Enum>& known : words)
        if (known.text == word.value.value()) return known.value;
    throw std::logic_error("a word of the schema has no value");
}

// The word of a value, as in the file; a value without one is a bug and throws.
template <typename Enum, std::size_t count>
const char* word_of(Enum value, const Word<Enum> (&words)[count]) {
    for (const Word<Enum>& word : words)
        if (word.value == value) return word.text.data();
    throw std::logic_error("a value has no word");
}

inline std::uint32_t number(const Placed<std::int64_t>& placed) {
    return static_cast<std::uint32_t>(placed.value.value());
}

inline std::uint16_t number16(const Placed<std::int64_t>& placed) {
    return static_cast<std::uint16_t>(placed.value.value());
}

}  // namespace bascule::model
