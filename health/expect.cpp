// SPDX-License-Identifier: Apache-2.0
#include "health/expect.h"

#include <re2/re2.h>

#include <algorithm>

#include "health/outcome.h"

namespace bascule::health {

namespace {

// For the program and its automaton; what does not fit is searched more slowly, or refused.
constexpr std::int64_t most_memory = 1 << 20;
constexpr std::size_t looks_at_every_growth = 16;
// A text can be made so that RE2 has to do a step for each of its bytes and each instruction of the
// expression: less than a tenth of a second of this thread. The usual page is searched whole by
// expressions of up to a hundred instructions.
constexpr std::size_t most_steps = 25'000'000;

}  // namespace

Result<std::shared_ptr<re2::RE2>> Expressions::get(const std::string& pattern) {
    if (auto known = compiled_[pattern].lock()) return known;
    std::erase_if(compiled_, [](const auto& entry) { return entry.second.expired(); });
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(most_memory);
    options.set_encoding(re2::RE2::Options::EncodingLatin1);  // an answer is bytes
    auto made = std::make_shared<re2::RE2>(pattern, options);
    if (!made->ok()) return failure("expect_regex " + quoted(pattern) + ": " + made->error());
    compiled_[pattern] = made;
    return made;
}

Result<Expect> Expect::make(ProbeResources& resources, const model::HealthConfig& options) {
    Expect out;
    out.bytes_ = options.expect;
    if (options.expect_regex.empty()) return out;
    auto expression = resources.get<Expressions>().get(options.expect_regex);
    if (!expression) return failure(expression.error());
    out.expression_ = std::move(*expression);
    const auto size = static_cast<std::size_t>(std::max(out.expression_->ProgramSize(), 1));
    out.most_searched_ = most_steps / size;
    return out;
}

bool Expect::met_by(std::string_view text) const {
    // Not a text that ends there: "$" stands for the end of all of it.
    if (expression_)
        return expression_->Match(re2::StringPiece(text.data(), text.size()), 0,
                                  std::min(text.size(), most_searched_), re2::RE2::UNANCHORED,
                                  nullptr, 0);
    return text.find(bytes_) != text.npos;
}

std::string Expect::missing(std::size_t size) const {
    if (!expression_) return "lacks " + quoted(bytes_);
    return "does not match " + quoted(expression_->pattern()) +
           (size > most_searched_ ? " in its first " + std::to_string(most_searched_) + " bytes"
                                  : "");
}

bool Search::met_by(std::string_view so_far) {
    if (so_far.size() < next_size_) return false;
    if (++looks_ >= looks_at_every_growth) next_size_ = so_far.size() + so_far.size() / 8 + 1;
    return expect_.met_by(so_far);
}

}  // namespace bascule::health
