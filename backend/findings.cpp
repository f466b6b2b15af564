// SPDX-License-Identifier: Apache-2.0
// What the self-test found, for people and for programs. Pure.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backend/self_test.h"

namespace bascule::backend {
namespace {

using Json = nlohmann::ordered_json;

constexpr int schema_version = 1;

const char* word(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok:
            return "ok";
        case Verdict::warning:
            return "warning";
        case Verdict::failed:
            return "FAILED";
        case Verdict::skipped:
            return "skipped";
    }
    return "";
}

}  // namespace

bool has_failed(const std::vector<Finding>& findings) {
    return std::any_of(findings.begin(), findings.end(),
                       [](const Finding& one) { return one.verdict == Verdict::failed; });
}

std::string findings_text(const std::vector<Finding>& findings) {
    std::string text;
    for (const Finding& one : findings) {
        text += fmt::format("{:<8} {:<14} {}\n", word(one.verdict), one.check, one.subject);
        if (one.verdict == Verdict::ok) continue;
        text += fmt::format("         {}\n", one.text);
        if (!one.mend.empty()) text += fmt::format("         try: {}\n", one.mend);
    }
    return text;
}

std::string findings_json(const std::vector<Finding>& findings) {
    Json json;
    json["schema"] = schema_version;
    json["well"] = !has_failed(findings);
    json["findings"] = Json::array();
    for (const Finding& one : findings) {
        Json shown;
        shown["check"] = one.check;
        shown["subject"] = one.subject;
        shown["verdict"] = one.verdict == Verdict::failed ? "failed" : word(one.verdict);
        shown["text"] = one.text;
        if (!one.mend.empty()) shown["mend"] = one.mend;
        json["findings"].push_back(std::move(shown));
    }
    return json.dump(2) + "\n";
}

}  // namespace bascule::backend
