// SPDX-License-Identifier: Apache-2.0
#include "health/words.h"

namespace bascule::health {

Outcome passed(std::string words) {
    Outcome outcome;
    outcome.words = std::move(words);
    return outcome;
}

Outcome failed(Failure failure, std::string words) {
    Outcome outcome;
    outcome.failure = failure;
    outcome.words = std::move(words);
    return outcome;
}

std::string in_words(model::Milliseconds time) {
    const auto count = time.count();
    return count % 1000 == 0 ? std::to_string(count / 1000) + "s" : std::to_string(count) + "ms";
}

std::string server_name(const Target& target, const Destination& to) {
    return (target.health.via == model::Via::vip ? target.backend : to.address).to_string();
}

std::string plain(std::string_view text, std::size_t most) {
    const std::string with_marks = quoted(text, most);
    return with_marks.substr(1, with_marks.size() - 2);
}

}  // namespace bascule::health
