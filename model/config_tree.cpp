// SPDX-License-Identifier: Apache-2.0
#include "model/config_tree.h"

#include <algorithm>

namespace bascule::model {
namespace {

// More would only scroll the first ones away.
constexpr std::size_t most_reported = 200;

struct KindOf {
    std::string_view operator()(const std::string&) const { return "a string"; }
    std::string_view operator()(std::int64_t) const { return "an integer"; }
    std::string_view operator()(double) const { return "a float"; }
    std::string_view operator()(bool) const { return "a boolean"; }
    std::string_view operator()(const Other& other) const { return other.kind; }
    std::string_view operator()(const Array&) const { return "an array"; }
    std::string_view operator()(const Table&) const { return "a table"; }
};

}  // namespace

std::string_view Value::kind() const {
    return std::visit(KindOf{}, data);
}

void Diagnostics::add(Place place, std::string message) {
    found_.push_back({place, std::move(message)});
}

std::string Diagnostics::to_string(Place place) const {
    return sources_[place.file].file + ':' + std::to_string(place.line);
}

Origin Diagnostics::origin(Place place) const {
    return {sources_[place.file].file, place.line, place.column};
}

std::vector<Diagnostic> Diagnostics::report() const {
    std::vector<Found> sorted = found_;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const Found& a, const Found& b) { return a.place < b.place; });
    std::vector<Diagnostic> report;
    for (const Found& found : sorted) {
        if (report.size() == most_reported) {
            report.push_back(
                {"", 0, 0,
                 "… and " + std::to_string(sorted.size() - most_reported) + " more errors"});
            break;
        }
        report.push_back(
            {sources_[found.place.file].file, found.place.line, found.place.column, found.message});
    }
    return report;
}

}  // namespace bascule::model
