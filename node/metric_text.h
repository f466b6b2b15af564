// SPDX-License-Identifier: Apache-2.0
// Writes families of metrics in Prometheus' text format (0.0.4), each against the schema: a name,
// type or number of labels that does not stand there is a bug and throws std::logic_error.
//
// One family is held as values at a time: a node has a hundred thousand samples at most, and their
// values take ten times the space of their text. Any thread.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "health/durations.h"
#include "node/metric_schema.h"

namespace bascule::node {

class MetricText {
public:
    using Values = std::vector<std::string>;  // of labels, in the order of the schema

    // What is added from now on is of this family. Each once.
    void family(std::string_view name);
    void add(const Values& labels, double value);
    void add(const Values& labels, std::uint64_t count) { add(labels, static_cast<double>(count)); }
    void add(const Values& labels, bool yes) { add(labels, yes ? 1.0 : 0.0); }
    void add(const Values& labels, const health::Durations& durations);

    // A family of a single sample without labels.
    template <typename Value>
    void single(std::string_view name, Value value) {
        family(name);
        add({}, value);
    }

    // All of it. Families without a sample are left out.
    std::string take();

private:
    prometheus::ClientMetric& sample(const Values& labels, bool histogram);
    void flush();

    std::ostringstream out_;
    const MetricSchema* schema_ = nullptr;
    prometheus::MetricFamily family_;
    std::set<std::string_view> written_;
};

}  // namespace bascule::node
