// SPDX-License-Identifier: Apache-2.0
// Words that outcomes of several probes share.
#pragma once

#include <string>
#include <string_view>

#include "health/outcome.h"
#include "health/target.h"
#include "model/config.h"

namespace bascule::health {

Outcome passed(std::string words);
Outcome failed(Failure failure, std::string words);

// "500ms", "2s", "1500ms": as it would be written in the file.
std::string in_words(model::Milliseconds time);

// The server that is asked, as people know it: a probe by the VIP goes to a made-up address, which
// nobody has heard of.
std::string server_name(const Target& target, const Destination& to);

// quoted() without its quotation marks: a reason phrase, an error's own words.
std::string plain(std::string_view text, std::size_t most = 60);

}  // namespace bascule::health
