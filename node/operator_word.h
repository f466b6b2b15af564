// SPDX-License-Identifier: Apache-2.0
// What the operator said at run time about one backend, and how that stands in the shared map:
// key word/SERVICE/BACKEND, value {"drained": …, "disabled": …, "weight": …, "said": …}.
// Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"

namespace bascule::node {

struct OperatorWord {
    bool drained = false;  // no new flows, its sessions stay; never with `disabled`
    std::optional<std::uint32_t> weight;
    std::int64_t unix_seconds = 0;  // when it was said
    bool disabled = false;          // no new flows, its sessions move

    bool says_nothing() const { return !drained && !disabled && !weight; }
    bool operator==(const OperatorWord&) const = default;
};

// Names of service and backend.
using BackendName = std::pair<std::string, std::string>;

inline constexpr const char* operator_word_kind = "word";
std::string key_of_word(const BackendName& backend);
// Nullopt: not the key of a word.
std::optional<BackendName> backend_of_word(const std::string& key);

// "drained, weight 50"; "as the file says".
std::string in_words(const OperatorWord& word);

std::string value_of_word(const OperatorWord& word);
// Fields of a later release are ignored.
Result<OperatorWord> read_word(const std::string& value);

// Of an object with these fields; throws nlohmann's exceptions on what is not as written.
OperatorWord word_from_json(const nlohmann::json& json);

}  // namespace bascule::node
