// SPDX-License-Identifier: Apache-2.0
// Requests of an HTTP/1.1 connection (RFC 9112), one after the other, as far as a server needs them
// that only gives: method, path, and whether the connection goes on. Bodies are never read.
//
// Nothing in it is trusted: a header is bounded in bytes, and what is no request, or one that is
// not for us, comes as the answer that it gets. The parser is Beast's. Thread: that of the socket.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/system/error_code.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

namespace bascule::node {

struct HttpAnswer;

struct HttpRequest {
    unsigned refused = 0;  // status; 0: it is not
    std::string words;     // why it is refused
    std::string path;      // "/metrics", without the query
    bool head_only = false;
    bool keep = false;  // the connection goes on after the answer
};

class HttpReader {
public:
    explicit HttpReader(std::size_t most_header);

    // Reads up to the end of a header. An error: there is nobody to be answered, or nothing came.
    // What is no request is none: take() tells.
    boost::asio::awaitable<std::tuple<boost::system::error_code>> read(
        boost::asio::ip::tcp::socket& socket);
    // What read() has got.
    HttpRequest take() const;
    // Whether bytes of the next one are here already.
    bool has_bytes() const { return buffer_.size() > 0; }

private:
    using Parser = boost::beast::http::request_parser<boost::beast::http::empty_body>;

    HttpRequest refuse(unsigned status, std::string words) const;

    std::size_t most_header_;
    boost::beast::flat_buffer buffer_;
    std::optional<Parser> parser_;
    boost::system::error_code problem_;
};

// "/metrics" of "/metrics?x=1" and of "http://node1:7401/metrics"; empty: no path of a server.
std::string path_of(std::string_view target);

// Status line and header of the answer, with the empty line.
std::string http_head(const HttpRequest& request, const HttpAnswer& answer);

}  // namespace bascule::node
