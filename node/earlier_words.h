// SPDX-License-Identifier: Apache-2.0
// What releases before the shared map have left in <state-dir>/words.json. Thread: control.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "sync/shared_map.h"

namespace bascule::node {

// As items of the time when each word was said: they can be taken in again and again, and lose
// against whatever was said since. Empty when there is no file.
struct EarlierWords {
    bool found = false;
    std::vector<sync::SharedItem> items;
};
// A file that cannot be understood is an error.
Result<EarlierWords> read_earlier_words(const std::string& path, const std::string& self);

}  // namespace bascule::node
