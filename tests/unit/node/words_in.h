// SPDX-License-Identifier: Apache-2.0
// What an operator has said on a node of a test, kept in a directory.
#pragma once

#include <stdexcept>
#include <string>

#include "node/operator_words.h"

namespace bascule::node {

inline OperatorWords words_in(const std::string& state_dir) {
    auto shared = SharedState::load(state_dir, "lb1");
    if (!shared) throw std::runtime_error(shared.error().text());
    return OperatorWords(std::move(*shared));
}

}  // namespace bascule::node
