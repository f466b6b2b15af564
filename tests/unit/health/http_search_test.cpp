// SPDX-License-Identifier: Apache-2.0
// Expressions that are looked for in pages made to be slow.
#include <gtest/gtest.h>

#include <ctime>
#include <random>

#include "hostile_server.h"
#include "probe_bed.h"

namespace bascule::health {
namespace {

using namespace std::chrono_literals;

HostileServer::Serve shows(const std::string& page) {
    return [page](const Client& client) {
        client.receive_request();
        client.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(page.size()) +
                    "\r\n\r\n" + page);
        client.wait_for_close();
    };
}

// Of this thread.
std::chrono::nanoseconds cpu_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// Of such a page RE2 finds no short way: it would take seconds of the thread of all probes.
TEST(HttpSearch, SearchesNoPageForSeconds) {
    std::string page(4'000'000, 'x');
    std::minstd_rand random;
    for (char& c : page)
        if (random() % 2 == 0) c = 'a';
    HostileServer server(shows(page));
    ProbeBed bed(make_http_probe, model::ProbeType::http, server.port());
    bed.target.health.timeout = 20s;
    bed.target.health.body_limit = 5'000'000;
    bed.target.health.expect_regex = "x.{0,100}y";
    const auto before = cpu_time();
    const Outcome outcome = bed.run();
    EXPECT_LT(cpu_time() - before, 1500ms);  // some 4 s otherwise
    EXPECT_EQ(outcome.failure, Failure::content);
    EXPECT_TRUE(outcome.words.starts_with("body does not match \"x.{0,100}y\" in its first "))
        << outcome.words;
}

TEST(HttpSearch, LooksForTheEndWhereItIs) {
    HostileServer server(shows(std::string(300'000, 'x') + "ok"));
    ProbeBed bed(make_http_probe, model::ProbeType::http, server.port());
    bed.target.health.timeout = 20s;
    bed.target.health.body_limit = 5'000'000;
    bed.target.health.expect_regex = "x+ok$";
    EXPECT_TRUE(bed.run().ok());
    // Large, so that it is searched for in the beginning alone, which is no page that ends in x.
    bed.target.health.expect_regex = "^(" + std::string(300, 'x') + ")?x*$";
    ProbeBed other(make_http_probe, model::ProbeType::http, server.port());
    other.target.health = bed.target.health;
    EXPECT_EQ(other.run().failure, Failure::content);
}

}  // namespace
}  // namespace bascule::health
