// SPDX-License-Identifier: Apache-2.0
// Every family of metrics: its type, labels and meaning. What is served is written against it and
// docs/reference/metrics.md is printed from it, so neither can drift.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace bascule::node {

enum class MetricType { counter, gauge, histogram };

// A client's address is never a label: there is no end of them, and they are nobody's business.
struct MetricSchema {
    std::string_view name;  // as served
    MetricType type = MetricType::gauge;
    std::span<const std::string_view> labels;
    std::string_view meaning;  // one line; Markdown without line breaks or backslashes
};

struct MetricGroup {
    std::string_view title;
    std::span<const MetricSchema> families;
};

std::span<const MetricGroup> metric_schema();
// Nullptr: there is none of that name.
const MetricSchema* find_metric(std::string_view name);

// docs/reference/metrics.md.
std::string metric_reference();

}  // namespace bascule::node
