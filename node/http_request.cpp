// SPDX-License-Identifier: Apache-2.0
#include "node/http_request.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/verb.hpp>
#include <utility>

#include "node/http_server.h"

namespace bascule::node {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

// Room for more than a header may have: the parser is to find it too long, not the buffer.
constexpr std::size_t spare = 4096;

const boost::system::error_category& http_category() {
    static const boost::system::error_code any = http::error::end_of_stream;
    return any.category();
}

bool is_too_long(const boost::system::error_code& code) {
    return code == http::error::header_limit || code == http::error::buffer_overflow;
}

// Of a client that has begun a request and is there to hear about it.
bool is_malformed(const boost::system::error_code& code) {
    return code.category() == http_category() && code != http::error::end_of_stream &&
           code != http::error::partial_message;
}

}  // namespace

HttpReader::HttpReader(std::size_t most_header)
    : most_header_(most_header), buffer_(most_header + spare) {}

asio::awaitable<std::tuple<boost::system::error_code>> HttpReader::read(
    asio::ip::tcp::socket& socket) {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(most_header_));
    parser_->body_limit(boost::none);  // none is read
    auto [code, count] = co_await http::async_read_header(socket, buffer_, *parser_,
                                                          asio::as_tuple(asio::use_awaitable));
    problem_ = {};
    if (is_malformed(code)) problem_ = std::exchange(code, {});
    co_return std::make_tuple(code);
}

HttpRequest HttpReader::refuse(unsigned status, std::string words) const {
    HttpRequest request;
    request.refused = status;
    request.words = std::move(words);
    return request;
}

HttpRequest HttpReader::take() const {
    if (is_too_long(problem_))
        return refuse(431,
                      fmt::format("a request's header has at most {} bytes here", most_header_));
    if (problem_) return refuse(400, "this is no HTTP/1.1 request: " + problem_.message());
    const auto& header = parser_->get();
    if (header.version() != 10 && header.version() != 11)
        return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    const bool is_head = header.method() == http::verb::head;
    HttpRequest request;
    if (header.method() != http::verb::get && !is_head) {
        request = refuse(405, "only GET and HEAD are answered here: nothing can be changed");
    } else if (parser_->chunked() || parser_->content_length().value_or(0) > 0) {
        request = refuse(413, "a request has no body here");
    } else if (header.version() == 11 && header.count(http::field::host) != 1) {
        request = refuse(400, "an HTTP/1.1 request has one Host");
    } else {
        request.path = path_of({header.target().data(), header.target().size()});
        request.keep = header.keep_alive();
        if (request.path.empty()) request = refuse(400, "this is the path of no page");
    }
    request.head_only = is_head;
    return request;
}

std::string path_of(std::string_view target) {
    constexpr std::string_view scheme = "http://";
    if (target.starts_with(scheme)) {
        const auto slash = target.find('/', scheme.size());
        target = slash == std::string_view::npos ? "/" : target.substr(slash);
    }
    if (!target.starts_with('/')) return {};
    return std::string(target.substr(0, target.find('?')));
}

std::string http_head(const HttpRequest& request, const HttpAnswer& answer) {
    const auto reason = http::obsolete_reason(static_cast<http::status>(answer.status));
    std::string head = fmt::format("HTTP/1.1 {} {}\r\n", answer.status,
                                   std::string_view(reason.data(), reason.size()));
    head +=
        fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", answer.type, answer.body->size());
    if (answer.status == 405) head += "Allow: GET, HEAD\r\n";
    head += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
    head += request.keep ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
    return head;
}

}  // namespace bascule::node
