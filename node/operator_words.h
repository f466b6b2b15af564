// SPDX-License-Identifier: Apache-2.0
// What the operator said at run time about backends: drained, disabled, another weight. Lives in
// the shared map: said on one node it counts on all, across restart and reload, until he takes it
// back, also while the backend is out of the file.
//
// A word that cannot be understood (of a later release, say) counts as not said, and stays as it is
// for those who understand it.
//
// Thread: control.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "node/operator_word.h"
#include "node/shared_state.h"

namespace bascule::node {

class OperatorWords {
public:
    explicit OperatorWords(std::shared_ptr<SharedState> shared);

    const OperatorWord* find(const BackendName& backend) const;
    std::size_t size() const { return words_.size(); }

    // On disk first, then in memory, then to the peers: when it fails nothing has changed. A word
    // that says nothing is removed.
    Result<void> set(const BackendName& backend, const OperatorWord& word);

    // Peers have changed these keys of the shared map, be they words or not: the backends of which
    // something else is said now. To be called for every change (SharedState::set_listener).
    std::vector<BackendName> follow(const std::vector<std::string>& keys);
    // Name of the node where the last word on it was said, or taken back; empty: never.
    std::string said_on(const BackendName& backend) const;

private:
    // Whether something else is said now.
    bool read(const std::string& key, const BackendName& backend);

    std::shared_ptr<SharedState> shared_;
    std::map<BackendName, OperatorWord> words_;  // as the shared map has them
};

}  // namespace bascule::node
