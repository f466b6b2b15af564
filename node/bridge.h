// SPDX-License-Identifier: Apache-2.0
// The way from one configuration to the next over a third, where the straight one would stop a
// service: when an edit leaves it none but backends that no check has judged yet. Pure.
#pragma once

#include <optional>

#include "model/config.h"
#include "node/state.h"

namespace bascule::node {

// `next`, with the earlier backends still in those services that can serve now and could not with
// `next` for want of verdicts. Nullopt: the straight way is well.
//
// An earlier backend stays only where it would be served as before, and where no new one has its
// name.
std::optional<model::Config> bridge(const State& state, const model::Config& next);

}  // namespace bascule::node
