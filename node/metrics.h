// SPDX-License-Identifier: Apache-2.0
// The metrics of a node as text for Prometheus. Pure; any thread.
#pragma once

#include <string>

#include "node/metric_facts.h"

namespace bascule::node {

std::string metrics_text(const MetricFacts& facts);

}  // namespace bascule::node
