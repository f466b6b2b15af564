// SPDX-License-Identifier: Apache-2.0
// The answer to one HTTP request, taken in pieces as they come and judged.
//
// Everything in it is the server's: headers, body, chunk lines and all bytes together are bounded.
// Pure: no socket, no clock. The parser is Beast's.
#pragma once

#include <boost/system/error_code.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "health/expect.h"
#include "health/outcome.h"
#include "model/config.h"

namespace bascule::health {

class HttpAnswer {
public:
    static constexpr std::size_t most_headers = 16'384;  // bytes, of each 1xx answer too
    static constexpr unsigned most_interim = 8;          // answers 1xx before the real one

    // Both outlive it.
    HttpAnswer(const model::HealthConfig& options, const Expect& expect);
    ~HttpAnswer();
    HttpAnswer(const HttpAnswer&) = delete;
    HttpAnswer& operator=(const HttpAnswer&) = delete;

    // What has come. True: there is a verdict, and nothing more is to be read.
    bool take(std::string_view bytes);
    // The server has closed, orderly or by RST: there is a verdict.
    void end(bool reset);

    const std::optional<Outcome>& verdict() const { return verdict_; }
    // What was missing when the time was over.
    Outcome late(const std::string& timeout) const;
    bool nothing_came() const { return received_ == 0; }
    // The connection can take another request; after a good verdict.
    bool reusable() const;

private:
    class Parser;

    bool parse_some();
    bool too_short_to_parse() const;
    void judge_error(const boost::system::error_code& code);
    void judge_whole();
    bool status_allowed() const;

    const model::HealthConfig& options_;
    const Expect& expect_;
    std::unique_ptr<Parser> parser_;
    std::string pending_;  // received, and not parsed yet
    std::uint64_t received_ = 0;
    std::size_t header_size_ = 0;  // parsed, of the message under way
    unsigned interim_ = 0;
    std::optional<Outcome> verdict_;
};

}  // namespace bascule::health
