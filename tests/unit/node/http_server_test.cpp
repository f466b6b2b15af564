// SPDX-License-Identifier: Apache-2.0
// The server over real sockets on loopback: what it answers, and each of its bounds.
#include "node/http_server.h"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <stdexcept>
#include <thread>

#include "node/http_request.h"
#include "tests/unit/node/http_client.h"

namespace bascule::node {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using namespace testing;

const Address loopback = Address::v4({127, 0, 0, 1});
const std::string get = "GET /page HTTP/1.1\r\nHost: a\r\n";
const std::string last = "Connection: close\r\n\r\n";

asio::awaitable<HttpAnswer> page(std::string path) {
    if (path == "/bug") throw std::runtime_error("a bug");
    if (path == "/large") co_return http_words(200, std::string(32 << 20, 'x'));
    if (path != "/page") co_return http_words(404, "there is no such page");
    co_return http_words(200, "words");
}

class HttpServerTest : public ::testing::Test {
protected:
    void start(
        HttpLimits limits = {},
        HttpServer::Forbidden forbidden = [](const Address&) { return false; }) {
        server_ = std::make_unique<RunningServer>(page, limits, std::move(forbidden));
        ASSERT_TRUE(server_->listen(model::Endpoint{loopback, 0}));
        at_ = server_->listening().value();
        ASSERT_NE(at_.port, 0);
    }

    // The answer to these bytes and whatever follows until the server closes.
    std::string ask(const std::string& bytes) {
        HttpClient client(at_);
        client.send(bytes);
        return client.rest();
    }
    void expect_status(const std::string& request, const std::string& status) {
        const std::string answer = ask(request);
        EXPECT_EQ(answer.substr(0, answer.find('\r')), "HTTP/1.1 " + status)
            << request.substr(0, 200);
    }
    template <typename Condition>
    bool until(Condition condition) {
        for (const auto end = std::chrono::steady_clock::now() + 20s; !condition();
             std::this_thread::sleep_for(10ms))
            if (std::chrono::steady_clock::now() > end) return false;
        return true;
    }

    std::unique_ptr<RunningServer> server_;
    model::Endpoint at_;
};

TEST_F(HttpServerTest, AnswersGet) {
    start();
    EXPECT_EQ(ask(get + last),
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\n"
              "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
              "Connection: close\r\n\r\nwords\n");
    EXPECT_EQ(server_->counters().answers.at(200), 1u);
}

TEST_F(HttpServerTest, AnswersHeadWithoutTheBody) {
    start();
    const std::string answer = ask("HEAD /page HTTP/1.1\r\nHost: a\r\n" + last);
    EXPECT_NE(answer.find("Content-Length: 6\r\n"), std::string::npos);
    EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(HttpServerTest, AnswersOneAfterTheOtherAlsoWhenAllCameAtOnce) {
    start();
    const std::string answers = ask(get + "\r\n" + get + "\r\n" + get + last);
    std::size_t count = 0;
    for (auto at = answers.find("words"); at != std::string::npos;
         at = answers.find("words", at + 1))
        ++count;
    EXPECT_EQ(count, 3u) << answers;
}

TEST_F(HttpServerTest, AnswersHttp10AndCloses) {
    start();
    EXPECT_TRUE(ask("GET /page HTTP/1.0\r\n\r\n").ends_with("Connection: close\r\n\r\nwords\n"));
}

TEST_F(HttpServerTest, RefusesInWordsWhatItDoesNotDo) {
    start();
    const std::string host = " HTTP/1.1\r\nHost: a\r\n";
    expect_status("GET /none" + host + last, "404 Not Found");
    expect_status("POST /page" + host + "Content-Length: 5\r\n\r\nhello", "405 Method Not Allowed");
    expect_status("DELETE /page" + host + "\r\n", "405 Method Not Allowed");
    expect_status("FROB /page" + host + "\r\n", "405 Method Not Allowed");
    expect_status("GET /page" + host + "Content-Length: 5\r\n\r\nhello", "413 Payload Too Large");
    expect_status("GET /page" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                  "413 Payload Too Large");
    expect_status("GET /page" + host + "Content-Length: 99999999999999\r\n\r\n",
                  "413 Payload Too Large");
    expect_status("GET /page HTTP/1.1\r\n\r\n", "400 Bad Request");
    expect_status("GET /page" + host + "Host: b\r\n\r\n", "400 Bad Request");
    expect_status("GET page" + host + "\r\n", "400 Bad Request");
    expect_status("GET /page\r\n\r\n", "400 Bad Request");
    expect_status("GET /page HTTP/2.0\r\n\r\n", "400 Bad Request");
    expect_status(std::string("\x16\x03\x01\x02\x00", 5) + "\r\n\r\n", "400 Bad Request");
    expect_status("GET /bug" + host + last, "500 Internal Server Error");
    EXPECT_NE(ask("PUT /page" + host + "\r\n").find("Allow: GET, HEAD\r\n"), std::string::npos);
}

TEST_F(HttpServerTest, AHeaderIsBounded) {
    start();
    const std::string long_word(9000, 'x');
    expect_status("GET /page HTTP/1.1\r\nHost: a\r\nX: " + long_word + "\r\n\r\n",
                  "431 Request Header Fields Too Large");
    expect_status("GET /" + long_word, "431 Request Header Fields Too Large");
    // Far more than is ever read: the answer arrives all the same.
    expect_status("GET /page HTTP/1.1\r\nX: " + std::string(200'000, 'x'),
                  "431 Request Header Fields Too Large");
    expect_status(get + last, "200 OK");
}

TEST_F(HttpServerTest, ASlowClientIsClosed) {
    HttpLimits limits;
    limits.request = 100ms;
    limits.idle = 200ms;
    start(limits);
    EXPECT_EQ(ask("GET /page HTT"), "") << "in the middle of a request";
    EXPECT_EQ(ask(""), "") << "before it";
    EXPECT_TRUE(ask(get + "\r\n").ends_with("words\n")) << "after it";
    EXPECT_EQ(server_->counters().slow, 3u);
    EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
}

TEST_F(HttpServerTest, OneWhoDoesNotTakeHisAnswerIsClosed) {
    HttpLimits limits;
    limits.answer = 300ms;
    start(limits);
    HttpClient client(at_);
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(until([&] { return server_->counters().slow == 1; }));
    EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
}

TEST_F(HttpServerTest, ALargeAnswerArrives) {
    start();
    EXPECT_GT(ask("GET /large HTTP/1.1\r\nHost: a\r\n" + last).size(), std::size_t{32} << 20);
}

TEST_F(HttpServerTest, ConnectionsAreBoundedAndThePlaceIsFreeAgain) {
    HttpLimits limits;
    limits.connections = 3;
    start(limits);
    {
        std::deque<HttpClient> held;
        for (int i = 0; i < 3; ++i)
            held.emplace_back(at_);
        ASSERT_TRUE(until([&] { return server_->connections() == 3; }));
        EXPECT_EQ(ask(get + last), "");
        EXPECT_EQ(server_->counters().full, 1u);
    }
    ASSERT_TRUE(until([&] { return server_->connections() == 0; }));
    expect_status(get + last, "200 OK");
}

TEST_F(HttpServerTest, RequestsOfAConnectionAreBounded) {
    HttpLimits limits;
    limits.requests = 2;
    start(limits);
    const std::string answers = ask(get + "\r\n" + get + "\r\n" + get + "\r\n");
    EXPECT_EQ(server_->counters().answers.at(200), 2u) << answers;
}

TEST_F(HttpServerTest, AForbiddenAddressIsClosedUnheard) {
    start({}, [](const Address& own) { return own == loopback; });
    EXPECT_EQ(ask(get + last), "");
    EXPECT_EQ(server_->counters().forbidden, 1u);
    EXPECT_TRUE(server_->counters().answers.empty());
}

TEST_F(HttpServerTest, MovesToAnotherAddress) {
    start();
    const model::Endpoint before = at_;
    HttpClient under_way(before);
    ASSERT_TRUE(until([&] { return server_->connections() == 1; }));
    ASSERT_TRUE(server_->listen(model::Endpoint{Address::v4({127, 0, 0, 2}), 0}));
    at_ = server_->listening().value();
    expect_status(get + last, "200 OK");
    EXPECT_FALSE(HttpClient(before).connected());
    under_way.send(get + last);
    EXPECT_TRUE(under_way.rest().ends_with("words\n")) << "who was there is answered";
}

TEST_F(HttpServerTest, MovesFromOneAddressToAllAndBack) {
    start();
    const model::Endpoint one = at_;
    ASSERT_TRUE(server_->listen(model::Endpoint{Address::v4({}), one.port}));
    expect_status(get + last, "200 OK");
    ASSERT_TRUE(server_->listen(one));
    expect_status(get + last, "200 OK");
    ASSERT_TRUE(server_->listen({}));
    EXPECT_FALSE(server_->listening());
    EXPECT_FALSE(HttpClient(one).connected());
}

TEST_F(HttpServerTest, StaysWhereItIsWhenTheNewAddressCannotBeHad) {
    start();
    RunningServer other(page);
    ASSERT_TRUE(other.listen(model::Endpoint{loopback, 0}));
    const auto taken = other.listening().value();
    const auto refused = server_->listen(taken);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text(),
              "cannot listen at " + taken.to_string() + ": Address already in use");
    EXPECT_FALSE(server_->listen(model::Endpoint{Address::v4({192, 0, 2, 1}), 7401}));
    EXPECT_EQ(server_->listening(), at_);
    expect_status(get + last, "200 OK");
}

TEST(HttpPath, IsWithoutQueryAndHost) {
    EXPECT_EQ(path_of("/metrics"), "/metrics");
    EXPECT_EQ(path_of("/metrics?name=a/b"), "/metrics");
    EXPECT_EQ(path_of("http://lb1:7401/metrics?x"), "/metrics");
    EXPECT_EQ(path_of("http://lb1:7401"), "/");
    EXPECT_EQ(path_of("*"), "");
    EXPECT_EQ(path_of(""), "");
    EXPECT_EQ(path_of("https://lb1/metrics"), "");
}

}  // namespace
}  // namespace bascule::node
