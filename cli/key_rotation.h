// SPDX-License-Identifier: Apache-2.0
// The steps by which a cluster gets another key without an outage. Between them the file goes to
// every node: whoever speaks by a key must be understood by all. Each step may be repeated.
//
// Pure; any thread.
#pragma once

#include <string>

#include "base/result.h"
#include "sync/cluster_key.h"

namespace bascule::cli {

enum class KeyStep {
    add,        // a new key is accepted
    switch_to,  // and spoken by
    drop,       // and the old one is no longer accepted
};
const char* name_of(KeyStep step);  // "add", "switch", "drop": as they are typed

struct RotatedKeys {
    sync::ClusterKeys keys;
    bool changed = false;  // false: this step was done before
    std::string said;      // one sentence; keys stand in it by their fingerprints
};

// `fresh` becomes the new key of `add`; the other steps do not look at it. Refused, with the step
// that comes first: steps out of their order, and files of several keys without marks.
Result<RotatedKeys> rotate_keys(sync::ClusterKeys keys, KeyStep step, const sync::SecretKey& fresh);

}  // namespace bascule::cli
