// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "health/http_request.h"
#include "hostile_server.h"
#include "probe_bed.h"

namespace bascule::health {
namespace {

using namespace std::chrono_literals;

// Far above what a deadline may be missed by on a busy machine, far below "not at all".
constexpr auto patience = 4s;

class HttpBed : public ProbeBed {
public:
    explicit HttpBed(std::uint16_t port)
        : ProbeBed(make_http_probe, model::ProbeType::http, port) {}
};

// Answers every request with these bytes, then closes when `close`.
HostileServer::Serve says(std::string answer, bool close = true) {
    return [answer = std::move(answer), close](const Client& client) {
        while (!client.receive_request().empty()) {
            client.send(answer);
            if (close) return;
        }
    };
}

std::string with_length(std::string_view body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string(body);
}

// What one probe finds at a server that says this.
Outcome outcome_of(const std::string& answer, bool close = true,
                   const std::function<void(model::HealthConfig&)>& set = {}) {
    HostileServer server(says(answer, close));
    HttpBed bed(server.port());
    if (set) set(bed.target.health);
    Outcome outcome = bed.run();
    EXPECT_LT(bed.took, patience);
    return outcome;
}

TEST(HttpProbe, takes_a_good_answer) {
    for (const std::string& answer :
         {with_length("ok"), std::string("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
          std::string("HTTP/1.0 200 OK\r\n\r\nto the end"),
          std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "3;a=b\r\nabc\r\n0\r\nTrailer: x\r\n\r\n"),
          std::string("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n") +
              with_length("ok")}) {
        const Outcome outcome = outcome_of(answer);
        EXPECT_TRUE(outcome.ok()) << outcome.words << " for " << answer;
        EXPECT_EQ(outcome.words, "200 OK");
    }
}

TEST(HttpProbe, judges_the_status) {
    const Outcome bad =
        outcome_of("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(bad.failure, Failure::status);
    EXPECT_EQ(bad.words, "HTTP 500 Internal Server Error");
    EXPECT_EQ(outcome_of("HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n").words,
              "HTTP 503 Service Unavailable");
    EXPECT_EQ(outcome_of("HTTP/1.1 204 No Content\r\n\r\n", false).words, "204 No Content");
    EXPECT_EQ(outcome_of("HTTP/1.1 101 Switching Protocols\r\n\r\n", false).words,
              "HTTP 101 Switching Protocols");
    const auto only_teapots = [](model::HealthConfig& options) {
        options.status = {{404, 404}, {418, 418}};
    };
    EXPECT_TRUE(outcome_of("HTTP/1.1 418 Teapot\r\n\r\n", true, only_teapots).ok());
    EXPECT_EQ(outcome_of(with_length("ok"), true, only_teapots).words, "HTTP 200 OK");
}

TEST(HttpProbe, says_a_bad_status_though_the_body_never_ends) {
    const Outcome outcome =
        outcome_of("HTTP/1.1 500 Oh\x01\xff No\r\nContent-Length: 999999999\r\n\r\n", false);
    EXPECT_EQ(outcome.failure, Failure::protocol);  // no control characters in a reason
    EXPECT_EQ(
        outcome_of("HTTP/1.1 500 Oh\xff No\r\nContent-Length: 999999999\r\n\r\n", false).words,
        "HTTP 500 Oh. No");
}

TEST(HttpProbe, judges_the_body) {
    const auto contains = [](model::HealthConfig& options) { options.expect = "ok"; };
    const auto matches = [](model::HealthConfig& options) { options.expect_regex = "^(ok|fine)$"; };
    EXPECT_TRUE(outcome_of(with_length("all ok here"), true, contains).ok());
    EXPECT_TRUE(outcome_of(with_length("fine"), true, matches).ok());
    EXPECT_TRUE(outcome_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
                           true, contains)
                    .ok());
    const Outcome lacks = outcome_of(with_length("sick"), true, contains);
    EXPECT_EQ(lacks.failure, Failure::content);
    EXPECT_EQ(lacks.words, "body lacks \"ok\"");
    EXPECT_EQ(outcome_of(with_length("okay"), true, matches).words,
              "body does not match \"^(ok|fine)$\"");
}

TEST(HttpProbe, asks_as_it_is_told) {
    std::string seen;
    HostileServer server([&](const Client& client) {
        seen = client.receive_request();
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");  // HEAD: no body
        client.wait_for_close();
    });
    HttpBed bed(server.port());
    bed.target.health.method = "HEAD";
    bed.target.health.path = "/status?x=1";
    bed.target.health.host = "www.example";
    bed.target.health.headers = {"X-Probe: 1", "user-agent: mine"};
    EXPECT_EQ(bed.run().words, "200 OK");
    EXPECT_EQ(seen,
              "HEAD /status?x=1 HTTP/1.1\r\nHost: www.example\r\nX-Probe: 1\r\n"
              "user-agent: mine\r\nConnection: close\r\n\r\n");
}

TEST(HttpProbe, names_the_host_as_in_a_url) {
    Target target;
    target.health.type = model::ProbeType::http;
    target.vip = *Address::parse("10.7.0.100");
    Destination to{*Address::parse("10.9.0.21"), 80, {}};
    EXPECT_EQ(host_header(target, to), "10.9.0.21");
    to = {*Address::parse("fd09::21"), 8080, {}};
    EXPECT_EQ(host_header(target, to), "[fd09::21]:8080");
    target.health.via = model::Via::vip;
    EXPECT_EQ(host_header(target, to), "10.7.0.100:8080");
    target.health.type = model::ProbeType::https;
    to.port = 443;
    EXPECT_EQ(host_header(target, to), "10.7.0.100");
    target.health.host = "www.example:8443";
    EXPECT_EQ(host_header(target, to), "www.example:8443");
    EXPECT_EQ(tls_name(target.health), "www.example");
    target.health.host = "[fd09::21]:8443";
    EXPECT_EQ(tls_name(target.health), "fd09::21");
    target.health.sni = "other.example";
    EXPECT_EQ(tls_name(target.health), "other.example");
}

TEST(HttpProbe, says_what_is_no_http) {
    const Outcome ssh = outcome_of("SSH-2.0-OpenSSH_9.2\r\n", false);
    EXPECT_EQ(ssh.failure, Failure::protocol);
    EXPECT_EQ(ssh.words, "answer is no HTTP: \"SSH-2.0-OpenSSH_9.2..\"");
    EXPECT_EQ(outcome_of("\x15\x03\x01\x00", false).words, "answer is TLS, not HTTP");
    EXPECT_EQ(outcome_of("HTTP/1.1 abc\r\n\r\n", false).words, "not as HTTP allows: bad status");
    EXPECT_EQ(outcome_of("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false).failure,
              Failure::protocol);
    EXPECT_EQ(
        outcome_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", false).failure,
        Failure::protocol);
}

TEST(HttpProbe, says_how_far_a_silent_server_came) {
    EXPECT_EQ(outcome_of("", false).words, "connected, no answer within 400ms");
    EXPECT_EQ(outcome_of("HTTP/1.1 200", false).words,
              "headers not complete within 400ms: 12 bytes so far");
    const Outcome body = outcome_of("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", false);
    EXPECT_EQ(body.failure, Failure::timed_out);
    EXPECT_EQ(body.words, "body not complete within 400ms: 3 bytes so far");
}

TEST(HttpProbe, says_where_a_server_closed) {
    const Outcome nothing = outcome_of("");
    EXPECT_EQ(nothing.failure, Failure::closed);
    EXPECT_EQ(nothing.words, "connection closed without an answer");
    EXPECT_EQ(outcome_of("HTTP/1.1 200").words,
              "connection closed in the headers: 12 bytes so far");
    EXPECT_EQ(outcome_of("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc").words,
              "connection closed in the body: 3 bytes so far");
    EXPECT_EQ(outcome_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").words,
              "connection closed in the body: 3 bytes so far");
}

TEST(HttpProbe, takes_a_reset_for_no_end_of_a_body) {
    HostileServer server([](const Client& client) {
        client.receive_request();
        client.send("HTTP/1.1 200 OK\r\n\r\nabc");
        client.sleep(50ms);
        client.reset_on_close();
    });
    HttpBed bed(server.port());
    const Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::closed);
    EXPECT_EQ(outcome.words, "connection reset in the body: 3 bytes so far");
}

// Answers as long as anybody takes them.
Outcome outcome_of_endless(const std::string& first, const std::string& block,
                           std::uint32_t body_limit = 262'144) {
    HostileServer server([&](const Client& client) {
        client.receive_request();
        if (!client.send(first)) return;
        while (client.send(block)) {
        }
    });
    HttpBed bed(server.port());
    bed.target.health.timeout = 3s;
    bed.target.health.body_limit = body_limit;
    bed.target.health.expect = "never said";
    bed.run();
    const long before = resident_kib();
    const Outcome outcome = bed.run();
    EXPECT_LT(resident_kib() - before, 32 * 1024);  // sanitizers keep what is freed a while
    EXPECT_LT(bed.took, 3s + patience);
    return outcome;
}

TEST(HttpProbe, is_not_drowned) {
    const std::string block(65536, 'x');
    EXPECT_EQ(outcome_of_endless("HTTP/1.1 200 OK\r\nX: ", block).words,
              "headers longer than 16384 bytes");
    EXPECT_EQ(outcome_of_endless("HTTP/1.1 200 OK\r\n", "X: y\r\n").words,
              "headers longer than 16384 bytes");
    EXPECT_EQ(
        outcome_of_endless("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", block).words,
        "body longer than 262144 bytes");
    const Outcome to_the_end = outcome_of_endless("HTTP/1.1 200 OK\r\n\r\n", block, 100'000);
    EXPECT_EQ(to_the_end.failure, Failure::too_big);
    EXPECT_EQ(to_the_end.words, "body longer than 100000 bytes");
    EXPECT_EQ(outcome_of_endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                                 "1000\r\n" + std::string(4096, 'x') + "\r\n")
                  .words,
              "body longer than 262144 bytes");
    EXPECT_EQ(outcome_of_endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", block)
                  .failure,
              Failure::too_big);
    EXPECT_EQ(
        outcome_of_endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n")
            .failure,
        Failure::too_big);
    EXPECT_EQ(outcome_of_endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                                 "1;" + std::string(8000, 'e') + "\r\nx\r\n")
                  .failure,
              Failure::too_big);
    EXPECT_EQ(outcome_of_endless("", "HTTP/1.1 100 Continue\r\n\r\n").words,
              "more than 8 answers 1xx before the real one");
}

TEST(HttpProbe, takes_a_body_as_long_as_the_limit) {
    const auto limit = [](model::HealthConfig& options) { options.body_limit = 1000; };
    const std::string body(1000, 'x');
    EXPECT_TRUE(outcome_of(with_length(body), true, limit).ok());
    EXPECT_TRUE(outcome_of("HTTP/1.1 200 OK\r\n\r\n" + body, true, limit).ok());
    EXPECT_EQ(outcome_of(with_length(body + "x"), true, limit).words,
              "body longer than 1000 bytes");
}

TEST(HttpProbe, is_not_held_up_by_a_byte_a_moment) {
    HostileServer server([](const Client& client) {
        client.receive_request();
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while (client.send("x"))
            client.sleep(20ms);
    });
    HttpBed bed(server.port());
    const Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::timed_out);
    EXPECT_NE(outcome.words.find("body not complete within 400ms: "), std::string::npos);
    EXPECT_GE(bed.took, 390ms);
    EXPECT_LT(bed.took, patience);
}

TEST(HttpProbe, parses_an_answer_in_single_bytes) {
    const std::string headers =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n"
        "Transfer-Encoding: chunked\r\n\r\n";
    for (const std::string body : {"2;x=y\r\nok\r\n0\r\nC: d\r\n\r\n", "0\r\n\r\n"}) {
        HostileServer server([&](const Client& client) {
            client.receive_request();
            for (const char c : headers + body) {
                client.send({&c, 1});
                std::this_thread::sleep_for(200us);
            }
            client.wait_for_close();
        });
        HttpBed bed(server.port());
        bed.target.health.timeout = 5s;
        bed.target.health.expect_regex = "^(ok)?$";
        const Outcome outcome = bed.run();
        EXPECT_TRUE(outcome.ok()) << outcome.words;
    }
}

TEST(HttpProbe, keeps_a_connection_alive) {
    HostileServer server(says(with_length("ok"), false));
    HttpBed bed(server.port());
    bed.target.health.keep_alive = true;
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(bed.run().words, "200 OK");
    EXPECT_EQ(server.connections(), 1);
    HttpBed each_its_own(server.port());
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(each_its_own.run().words, "200 OK");
    EXPECT_EQ(server.connections(), 4);
}

TEST(HttpProbe, connects_anew_when_what_it_kept_was_closed) {
    for (const bool reset : {false, true}) {
        HostileServer server([reset](const Client& client) {
            client.receive_request();
            client.send(with_length("ok"));
            if (reset) client.reset_on_close();
        });
        HttpBed bed(server.port());
        bed.target.health.keep_alive = true;
        for (int i = 0; i < 4; ++i) {
            EXPECT_EQ(bed.run().words, "200 OK");
            std::this_thread::sleep_for(50ms);
        }
        EXPECT_EQ(server.connections(), 4);
    }
}

TEST(HttpProbe, fails_when_the_second_connection_is_closed_too) {
    HostileServer server([](const Client& client) {
        client.receive_request();
        if (client.number() == 0) client.send(with_length("ok"));
    });
    HttpBed bed(server.port());
    bed.target.health.keep_alive = true;
    EXPECT_TRUE(bed.run().ok());
    std::this_thread::sleep_for(50ms);
    EXPECT_EQ(bed.run().words, "connection closed without an answer");
    EXPECT_EQ(server.connections(), 2);
}

TEST(HttpProbe, keeps_no_connection_that_cannot_be_used_again) {
    for (const std::string& answer :
         {std::string("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
          with_length("ok") + "HTTP/1.1 200 OK\r\n",  // more than was asked for
          std::string("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")}) {
        HostileServer server(says(answer, false));
        HttpBed bed(server.port());
        bed.target.health.keep_alive = true;
        EXPECT_TRUE(bed.run().ok());
        EXPECT_TRUE(bed.run().ok());
        EXPECT_EQ(server.connections(), 2) << answer;
    }
}

TEST(HttpProbe, goes_where_it_is_told_though_it_kept_a_connection) {
    HostileServer first(says(with_length("ok"), false));
    HostileServer second(says(with_length("ok"), false));
    HttpBed bed(first.port());
    bed.target.health.keep_alive = true;
    EXPECT_TRUE(bed.run().ok());
    bed.to.port = second.port();
    EXPECT_TRUE(bed.run().ok());
    EXPECT_EQ(second.connections(), 1);
}

TEST(HttpProbe, reads_what_is_said_before_all_was_sent) {
    HostileServer server([](const Client& client) {
        client.receive();
        client.send("HTTP/1.1 414 URI Too Long\r\nContent-Length: 0\r\n\r\n");
        client.sleep(200ms);
    });
    HttpBed bed(server.port());
    bed.target.health.path = "/" + std::string(16 << 20, 'x');
    bed.target.health.timeout = 3s;
    EXPECT_EQ(bed.run().words, "HTTP 414 URI Too Long");
}

TEST(HttpProbe, ends_at_once_when_it_is_cancelled) {
    HostileServer server([](const Client& client) {
        client.receive_request();
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while (client.send("x"))
            client.sleep(1ms);
    });
    HttpBed bed(server.port());
    bed.target.health.timeout = 60s;
    for (const auto after : {0us, 10us, 50us, 100us, 200us, 500us, 1000us, 20'000us}) {
        bed.run_and_cancel(after);
        EXPECT_LT(bed.took, 10s);
    }
    HttpBed other(server.port());
    EXPECT_EQ(other.run().failure, Failure::timed_out);
}

TEST(HttpProbe, refuses_an_expression_that_is_none) {
    HttpBed bed(1);
    bed.target.health.expect_regex = "(";
    const auto made = bed.try_to_make();
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().text().find("expect_regex"), std::string::npos);
}

// As some do before they close a connection that was idle: nobody has asked for it.
TEST(HttpProbe, takes_no_answer_that_came_before_its_question) {
    HostileServer server([](const Client& client) {
        client.receive_request();
        client.send(with_length("ok"));
        client.sleep(30ms);
        client.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
        if (client.number() % 2 == 0) client.wait_for_close();
    });
    HttpBed bed(server.port());
    bed.target.health.keep_alive = true;
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(bed.run().words, "200 OK");
        std::this_thread::sleep_for(150ms);
    }
    EXPECT_EQ(server.connections(), 3);
}

}  // namespace
}  // namespace bascule::health
