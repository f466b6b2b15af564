// SPDX-License-Identifier: Apache-2.0
// A small HTTP/1.1 server (RFC 9110, 9112) for what is read and never changed: GET and HEAD, no
// bodies, plain TCP.
//
// Whoever is served may be anybody and as slow as he likes: connections, headers, requests of a
// connection and the time of each step are bounded, and what meets a bound is counted. A request
// with a body is refused unread. Thread: that of the io_context (control).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/config.h"

namespace bascule::node {

struct HttpAnswer {
    unsigned status = 200;
    std::string type = "text/plain; charset=utf-8";
    std::shared_ptr<const std::string> body;  // never nullptr; shared by all who get it
};

// A line of words as an answer.
HttpAnswer http_words(unsigned status, std::string words);

struct HttpLimits {
    std::size_t connections = 32;               // at a time; further ones are closed at once
    std::size_t header = 8192;                  // bytes of a request line and its header
    unsigned requests = 1000;                   // of one connection
    std::chrono::milliseconds request{5'000};   // from its first byte to the end of its header
    std::chrono::milliseconds idle{60'000};     // from one request to the next
    std::chrono::milliseconds answer{30'000};   // until a client has taken all of it
    std::chrono::milliseconds farewell{1'000};  // what still comes is read, so that he sees why
};

// Since the server was made.
struct HttpCounters {
    std::uint64_t accepted = 0;
    std::uint64_t full = 0;                     // connections beyond those that may be at a time
    std::uint64_t forbidden = 0;                // connections to an address that is not for this
    std::uint64_t slow = 0;                     // connections closed since a limit of time was over
    std::map<unsigned, std::uint64_t> answers;  // by status: the few that are ever given
};

class HttpServer {
public:
    // The path begins with '/' and is without the query. May throw: that is a 500.
    using Handler = std::function<boost::asio::awaitable<HttpAnswer>(std::string path)>;
    // Whether nothing is to be said to who has reached this host by this address.
    using Forbidden = std::function<bool(const Address& own)>;

    HttpServer(boost::asio::io_context& io, Handler handler, Forbidden forbidden,
               HttpLimits limits = {});
    ~HttpServer();  // closes all; the handler is called no more
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    // Listens there from now on, and no longer where it did; at none: nowhere. The new socket is
    // bound before the old one is closed. On failure it listens where it did. Requests under way
    // are answered in any case. `where.port` 0: any that is free (for tests).
    Result<void> listen(const std::optional<model::Endpoint>& where);
    // With the port that it has got.
    std::optional<model::Endpoint> listening() const;

    const HttpCounters& counters() const;
    std::size_t connections() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace bascule::node
