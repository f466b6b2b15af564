// SPDX-License-Identifier: Apache-2.0
#include "node/metric_text.h"

#include <prometheus/text_serializer.h>

#include <chrono>
#include <limits>
#include <stdexcept>
#include <utility>

namespace bascule::node {

namespace {

prometheus::MetricType type_of(MetricType type) {
    switch (type) {
        case MetricType::counter:
            return prometheus::MetricType::Counter;
        case MetricType::histogram:
            return prometheus::MetricType::Histogram;
        case MetricType::gauge:
            break;
    }
    return prometheus::MetricType::Gauge;
}

template <typename Duration>
double in_seconds(Duration time) {
    return std::chrono::duration<double>(time).count();
}

}  // namespace

void MetricText::family(std::string_view name) {
    flush();
    const MetricSchema* schema = find_metric(name);
    if (schema == nullptr || !written_.insert(schema->name).second)
        throw std::logic_error("no such metric, or twice: " + std::string(name));
    schema_ = schema;
    family_.name = schema->name;
    family_.help = schema->meaning;
    family_.type = type_of(schema->type);
}

prometheus::ClientMetric& MetricText::sample(const Values& labels, bool histogram) {
    if (schema_ == nullptr || labels.size() != schema_->labels.size() ||
        histogram != (schema_->type == MetricType::histogram))
        throw std::logic_error("a sample does not fit its metric: " + family_.name);
    auto& sample = family_.metric.emplace_back();
    sample.label.reserve(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i)
        sample.label.push_back({std::string(schema_->labels[i]), labels[i]});
    return sample;
}

void MetricText::add(const Values& labels, double value) {
    auto& one = sample(labels, false);
    if (schema_->type == MetricType::counter)
        one.counter.value = value;
    else
        one.gauge.value = value;
}

void MetricText::add(const Values& labels, const health::Durations& durations) {
    auto& histogram = sample(labels, true).histogram;
    std::uint64_t so_far = 0;
    for (std::size_t i = 0; i < durations.counts().size(); ++i) {
        so_far += durations.counts()[i];
        const double bound = i < health::Durations::bounds.size()
                                 ? in_seconds(health::Durations::bounds[i])
                                 : std::numeric_limits<double>::infinity();
        histogram.bucket.push_back({so_far, bound});
    }
    histogram.sample_count = so_far;
    histogram.sample_sum = in_seconds(durations.sum());
}

void MetricText::flush() {
    if (!family_.metric.empty()) prometheus::TextSerializer().Serialize(out_, {family_});
    family_.metric.clear();
    schema_ = nullptr;
}

std::string MetricText::take() {
    flush();
    return std::move(out_).str();
}

}  // namespace bascule::node
