// SPDX-License-Identifier: Apache-2.0
// Any bytes as the answer to an HTTP probe, in any pieces: there is a verdict when the server
// closes, its words can be shown, memory is bounded, and how the bytes were cut changes no verdict
// from good to bad.
//
// The first byte chooses what was asked and is expected, the second how the rest is cut.
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "health/http_answer.h"
#include "health/resources.h"

namespace {

using bascule::health::Expect;
using bascule::health::HttpAnswer;
using bascule::health::Outcome;

constexpr std::size_t most_words = 200;
// Below it no limit but the body's is met, and that one does not depend on the pieces.
constexpr std::size_t most_compared = HttpAnswer::most_headers;

void check(bool good) {
    if (!good) std::abort();
}

void check_words(const Outcome& outcome) {
    check(!outcome.words.empty() && outcome.words.size() <= most_words);
    check(std::none_of(outcome.words.begin(), outcome.words.end(),
                       [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }));
}

Outcome judge(const bascule::model::HealthConfig& options, const Expect& expect,
              std::string_view bytes, std::size_t piece, bool reset) {
    HttpAnswer answer(options, expect);
    while (!answer.verdict() && !bytes.empty()) {
        check_words(answer.late("500ms"));
        const std::string_view now = bytes.substr(0, piece);
        bytes.remove_prefix(now.size());
        if (answer.take(now) != answer.verdict().has_value()) std::abort();
    }
    if (!answer.verdict()) answer.end(reset);
    check(answer.verdict().has_value());
    check_words(*answer.verdict());
    if (answer.verdict()->ok()) answer.reusable();
    return *answer.verdict();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static boost::asio::io_context io;
    static const auto resources = bascule::health::make_resources(io);
    if (size < 2) return 0;
    bascule::model::HealthConfig options;
    options.body_limit = 1000;
    if (data[0] & 1) options.method = "HEAD";
    if (data[0] & 2) options.status = {{100, 599}};
    if (data[0] & 4) options.expect = "ok";
    if (data[0] & 8) options.expect.clear(), options.expect_regex = "o+k$";
    const bool reset = data[0] & 16;
    const auto expect = Expect::make(*resources, options);
    check(expect.has_value());

    const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
    const Outcome whole = judge(options, *expect, bytes, bytes.size() + 1, reset);
    const Outcome pieces = judge(options, *expect, bytes, std::size_t{1} + data[1], reset);
    if (size < most_compared) check(whole.ok() == pieces.ok());
    return 0;
}
