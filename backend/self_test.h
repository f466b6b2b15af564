// SPDX-License-Identifier: Apache-2.0
// `bascule-backend self-test`: whether this server really does what its balancers count on, each
// check with what it means when it fails and the command that mends it.
#pragma once

#include <string>
#include <vector>

#include "backend/companion.h"

namespace bascule::backend {

enum class Verdict { ok, warning, failed, skipped };

struct Finding {
    std::string check;    // "arp", "decapsulation", ...
    std::string subject;  // "10.9.0.100 on eth0"
    Verdict verdict = Verdict::ok;
    std::string text;  // what was found, and what it means
    std::string mend;  // a command, where one mends it
};

// The error is about what the checks themselves need.
Result<std::vector<Finding>> self_test(const Options& options, const Config& config);

bool has_failed(const std::vector<Finding>& findings);
std::string findings_text(const std::vector<Finding>& findings);
std::string findings_json(const std::vector<Finding>& findings);

}  // namespace bascule::backend
