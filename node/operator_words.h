// SPDX-License-Identifier: Apache-2.0
// What the operator said at run time about backends: drained, disabled, another weight. Kept on
// disk across restart and reload until he takes it back, also while the backend is out of the file.
//
// Thread: control.
#pragma once

#include <cstdint>
#include <map>
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

class OperatorWords {
public:
    // Reads <state-dir>/words.json. A file that cannot be understood is an error: to start without
    // it would put drained backends back into service.
    static Result<OperatorWords> load(const std::string& state_dir);

    const OperatorWord* find(const BackendName& backend) const;
    std::size_t size() const { return words_.size(); }

    // On disk first, then in memory: when it fails nothing has changed. A word that says nothing
    // is removed.
    Result<void> set(const BackendName& backend, const OperatorWord& word);

private:
    explicit OperatorWords(std::string path) : path_(std::move(path)) {}

    std::string path_;
    std::map<BackendName, OperatorWord> words_;
};

}  // namespace bascule::node
