// SPDX-License-Identifier: Apache-2.0
#include "health/http_answer.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>

#include "health/words.h"

namespace bascule::health {

namespace {

namespace http = boost::beast::http;
using Code = boost::system::error_code;
using View = boost::beast::string_view;

constexpr std::string_view start_of_all = "HTTP/1.";

std::string_view as_std(View view) {
    return {view.data(), view.size()};
}

std::string bytes_so_far(std::uint64_t count) {
    return std::to_string(count) + (count == 1 ? " byte so far" : " bytes so far");
}

bool may_be_http(std::string_view bytes) {
    return start_of_all.starts_with(bytes.substr(0, start_of_all.size()));
}

std::string no_http(std::string_view bytes) {
    // An alert: it takes the request for a bad hello.
    if (bytes.starts_with("\x15\x03")) return "answer is TLS, not HTTP";
    return "answer is no HTTP: " + quoted(bytes);
}

}  // namespace

// Keeps of an answer what is looked at: status, reason, and the body if something is expected of
// it.
class HttpAnswer::Parser final : public http::basic_parser<false> {
public:
    Parser(const model::HealthConfig& options, bool keep_body) : keep_body_(keep_body) {
        header_limit(static_cast<std::uint32_t>(most_headers));
        body_limit(options.body_limit);
        eager(true);
        skip(options.method == "HEAD");
    }

    // 100 to 199, but for 101, which no other answer follows.
    bool interim() const { return status / 100 == 1 && status != 101; }
    std::string status_words(std::string_view before) const {
        return std::string(before) + std::to_string(status) + (reason.empty() ? "" : " ") +
               plain(reason);
    }

    unsigned status = 0;
    std::string reason;  // as it came, cut
    std::string body;    // only if it is kept
    std::uint64_t body_size = 0;

private:
    static constexpr std::size_t most_reason = 60;

    void on_request_impl(http::verb, View, View, int, Code&) override {}
    void on_response_impl(int code, View text, int, Code& error) override {
        error = {};
        status = static_cast<unsigned>(code);
        reason = as_std(text.substr(0, most_reason));
        if (reason.empty()) reason = as_std(http::obsolete_reason(http::int_to_status(status)));
    }
    void on_field_impl(http::field, View, View, Code& error) override { error = {}; }
    void on_header_impl(Code& error) override { error = {}; }
    void on_body_init_impl(const boost::optional<std::uint64_t>&, Code& error) override {
        error = {};
    }
    std::size_t on_body_impl(View bytes, Code& error) override {
        error = {};
        body_size += bytes.size();
        if (keep_body_) body.append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_chunk_header_impl(std::uint64_t, View, Code& error) override { error = {}; }
    std::size_t on_chunk_body_impl(std::uint64_t, View bytes, Code& error) override {
        return on_body_impl(bytes, error);
    }
    void on_finish_impl(Code& error) override { error = {}; }

    bool keep_body_;
};

HttpAnswer::HttpAnswer(const model::HealthConfig& options, const Expect& expect)
    : options_(options),
      expect_(expect),
      parser_(std::make_unique<Parser>(options, expect.any())) {}

HttpAnswer::~HttpAnswer() = default;

bool HttpAnswer::take(std::string_view bytes) {
    received_ += bytes.size();
    pending_ += bytes;
    // A chunk of one byte takes six; its extensions and the trailer are the server's to make long.
    const std::uint64_t most =
        (interim_ + 2) * std::uint64_t{most_headers} + 8 * std::uint64_t{options_.body_limit};
    while (!verdict_ && parse_some()) {
    }
    if (!verdict_ && received_ > most)
        verdict_ =
            failed(Failure::too_big, "answer longer than " + std::to_string(most) + " bytes");
    return verdict_.has_value();
}

// True: a 1xx answer is over, and what follows it may be there already.
bool HttpAnswer::parse_some() {
    if (pending_.empty() || too_short_to_parse()) return false;
    if (header_size_ == 0 && !may_be_http(pending_)) {
        verdict_ = failed(Failure::protocol, no_http(pending_));
        return false;
    }
    const bool in_headers = header_size_ == 0 || !parser_->is_header_done();
    Code code;
    const std::size_t used = parser_->put(boost::asio::buffer(pending_), code);
    pending_.erase(0, used);
    if (in_headers) header_size_ += used;
    if (code == http::error::need_more) code = {};
    // Beast counts what it waits for the end of, not lines that come one by one.
    if (!parser_->is_header_done() && header_size_ + pending_.size() > most_headers)
        code = http::error::header_limit;
    if (parser_->is_header_done() && parser_->interim()) {
        if (++interim_ > most_interim) {
            verdict_ = failed(Failure::protocol, "more than " + std::to_string(most_interim) +
                                                     " answers 1xx before the real one");
            return false;
        }
        parser_ = std::make_unique<Parser>(options_, expect_.any());
        header_size_ = 0;
        return true;
    }
    if (parser_->is_header_done() && !status_allowed())
        verdict_ = failed(Failure::status, parser_->status_words("HTTP "));
    else if (code)
        judge_error(code);
    else if (parser_->is_done())
        judge_whole();
    else if (pending_.size() > most_headers)  // what Beast cannot use yet, and wants more of
        verdict_ = failed(Failure::too_big, "line of a chunk, or trailer, longer than " +
                                                std::to_string(most_headers) + " bytes");
    return false;
}

// A chunked body that is not over has at least its last chunk, "0", to come. Beast wants all five
// bytes of it once it has seen the first three.
bool HttpAnswer::too_short_to_parse() const {
    constexpr std::size_t last_chunk = 5;
    return header_size_ > 0 && parser_->is_header_done() && parser_->chunked() &&
           pending_.size() < last_chunk;
}

bool HttpAnswer::status_allowed() const {
    return std::any_of(options_.status.begin(), options_.status.end(), [this](const auto& range) {
        return range.first <= parser_->status && parser_->status <= range.last;
    });
}

void HttpAnswer::judge_error(const Code& code) {
    if (code == http::error::header_limit)
        verdict_ = failed(Failure::too_big,
                          "headers longer than " + std::to_string(most_headers) + " bytes");
    else if (code == http::error::body_limit)
        verdict_ = failed(Failure::too_big,
                          "body longer than " + std::to_string(options_.body_limit) + " bytes");
    else
        verdict_ = failed(Failure::protocol, "not as HTTP allows: " + plain(code.message()));
}

void HttpAnswer::judge_whole() {
    if (expect_.any() && !expect_.met_by(parser_->body))
        verdict_ = failed(Failure::content, "body " + expect_.missing(parser_->body.size()));
    else
        verdict_ = passed(parser_->status_words(""));
}

void HttpAnswer::end(bool reset) {
    const std::string how = reset ? "connection reset" : "connection closed";
    if (received_ == 0) {
        verdict_ = failed(Failure::closed, how + " without an answer");
        return;
    }
    if (!parser_->is_header_done()) {
        verdict_ = failed(Failure::closed, how + " in the headers: " + bytes_so_far(received_));
        return;
    }
    Code code;
    parser_->put_eof(code);
    // A body without a length ends with the connection, but not by RST.
    if (code || reset)
        verdict_ =
            failed(Failure::closed, how + " in the body: " + bytes_so_far(parser_->body_size));
    else
        judge_whole();
}

Outcome HttpAnswer::late(const std::string& timeout) const {
    const std::string within = " within " + timeout;
    if (received_ == 0) return failed(Failure::timed_out, "connected, no answer" + within);
    if (!parser_->is_header_done())
        return failed(Failure::timed_out,
                      "headers not complete" + within + ": " + bytes_so_far(received_));
    return failed(Failure::timed_out,
                  "body not complete" + within + ": " + bytes_so_far(parser_->body_size));
}

bool HttpAnswer::reusable() const {
    return parser_->is_done() && parser_->keep_alive() && pending_.empty();
}

}  // namespace bascule::health
