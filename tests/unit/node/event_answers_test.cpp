// SPDX-License-Identifier: Apache-2.0
#include "node/event_answers.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>

namespace bascule::node {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using control::EventsRequest;
using control::Response;
using Kind = Event::Kind;

class Events : public testing::Test {
protected:
    // Filled once the io_context has run far enough.
    std::shared_ptr<std::optional<Response>> ask(const EventsRequest& request) {
        auto answer = std::make_shared<std::optional<Response>>();
        asio::co_spawn(
            io_,
            [this, request, answer]() -> asio::awaitable<void> {
                *answer = co_await desk_.answer(request);
            },
            asio::detached);
        return answer;
    }
    Response answer(const EventsRequest& request) {
        const auto found = ask(request);
        io_.restart();
        io_.run_for(10s);
        return found->value_or(Response());
    }
    static EventsRequest waiting(std::uint64_t after) {
        EventsRequest request;
        request.set_after(after);
        request.set_wait_seconds(20);
        return request;
    }

    asio::io_context io_{1};
    EventLog log_;
    EventDesk desk_{log_};
};

TEST(IsAbout, AServiceItsBackendsOrOneOfThem) {
    EXPECT_TRUE(is_about("web/web1", ""));
    EXPECT_TRUE(is_about("web/web1", "web"));
    EXPECT_TRUE(is_about("web/web1", "web1"));
    EXPECT_TRUE(is_about("web/web1", "web/web1"));
    EXPECT_TRUE(is_about("web", "web"));
    EXPECT_TRUE(is_about("10.9.0.100", "10.9.0.100"));
    EXPECT_FALSE(is_about("web/web1", "we"));
    EXPECT_FALSE(is_about("web", "web/web1"));
    EXPECT_FALSE(is_about("web/web1", "web/web2"));
    EXPECT_FALSE(is_about("", "web"));
    EXPECT_TRUE(is_about("lb2 10.9.0.12:7400", "lb2"));
    EXPECT_TRUE(is_about("lb2 10.9.0.12:7400", "lb2 10.9.0.12:7400"));
    EXPECT_FALSE(is_about("lb2 10.9.0.12:7400", "lb"));
}

TEST_F(Events, WhatHasHappenedInItsOrder) {
    log_.add(Kind::started, "lb1", "basculed");
    log_.add(Kind::backend_down, "web/web1", "refused");
    const auto events = answer({}).events();
    ASSERT_EQ(events.events_size(), 2);
    EXPECT_EQ(events.events(0).serial(), 1U);
    EXPECT_EQ(events.events(1).kind(), "backend_down");
    EXPECT_EQ(events.events(1).subject(), "web/web1");
    EXPECT_EQ(events.events(1).text(), "refused");
    EXPECT_GT(events.events(1).unix_milliseconds(), 1'500'000'000'000);
    EXPECT_EQ(events.last_serial(), 2U);
    EXPECT_EQ(events.missed(), 0U);
    EXPECT_GT(events.began_unix_milliseconds(), 1'500'000'000'000);
}

TEST_F(Events, TheNewestOfThoseThatAreAsked) {
    for (int i = 0; i < 10; ++i)
        log_.add(Kind::backend_down, i % 2 == 0 ? "web/a" : "api/b", "refused");
    EventsRequest request;
    request.set_limit(2);
    request.set_subject("web");
    const auto events = answer(request).events();
    ASSERT_EQ(events.events_size(), 2);
    EXPECT_EQ(events.events(0).serial(), 7U);
    EXPECT_EQ(events.events(1).serial(), 9U);
    EXPECT_EQ(events.last_serial(), 10U);
}

TEST_F(Events, AVipInWhateverTextItIsGiven) {
    log_.add(Kind::vip_given_up, "2001:db8::1", "below quorum");
    EventsRequest request;
    request.set_subject("2001:0DB8:0::1");
    EXPECT_EQ(answer(request).events().events_size(), 1);
}

TEST_F(Events, WhatIsNoLongerKeptIsCounted) {
    for (std::size_t i = 0; i < EventLog::most + 50; ++i)
        log_.add(Kind::operator_word, "web/a", "drained");
    EventsRequest request;
    request.set_after(10);
    request.set_limit(1'000'000);
    const auto events = answer(request).events();
    EXPECT_EQ(events.events_size(), static_cast<int>(EventLog::most));
    EXPECT_EQ(events.missed(), 40U);
}

TEST_F(Events, AWaitEndsWithTheNextEventOfItsSubject) {
    log_.add(Kind::started, "lb1", "");
    EventsRequest request = waiting(1);
    request.set_subject("web");
    const auto found = ask(request);
    io_.run_for(250ms);
    EXPECT_FALSE(found->has_value()) << "there is none yet";
    log_.add(Kind::backend_down, "api/x", "not asked for");
    io_.run_for(250ms);
    EXPECT_FALSE(found->has_value());
    log_.add(Kind::backend_down, "web/a", "refused");
    io_.run_for(10s);
    ASSERT_TRUE(found->has_value());
    ASSERT_EQ((*found)->events().events_size(), 1);
    EXPECT_EQ((*found)->events().events(0).serial(), 3U);
}

TEST_F(Events, AWaitEndsByItself) {
    EventsRequest request;
    request.set_wait_seconds(1);
    const auto found = ask(request);
    const auto start = std::chrono::steady_clock::now();
    io_.run();
    EXPECT_GE(std::chrono::steady_clock::now() - start, 900ms);
    ASSERT_TRUE(found->has_value());
    EXPECT_TRUE((*found)->has_events());
    EXPECT_EQ((*found)->events().events_size(), 0);
}

TEST_F(Events, AllWaitsEndWhenTheDaemonDoes) {
    const auto found = ask(waiting(0));
    io_.run_for(50ms);
    desk_.end_waits();
    io_.run_for(10s);
    EXPECT_TRUE(found->has_value());
}

// A serial beyond the last is another daemon's.
TEST_F(Events, AStrangersSerialIsAnsweredAtOnce) {
    log_.add(Kind::started, "lb1", "");
    const auto found = ask(waiting(900));
    io_.poll();
    ASSERT_TRUE(found->has_value());
    EXPECT_EQ((*found)->events().last_serial(), 1U);
}

TEST_F(Events, SoManyMayWaitAndNoMore) {
    std::vector<std::shared_ptr<std::optional<Response>>> waits;
    for (std::size_t i = 0; i < EventDesk::most_waiting; ++i)
        waits.push_back(ask(waiting(0)));
    io_.run_for(20ms);
    const auto extra = ask(waiting(0));
    io_.run_for(20ms);
    ASSERT_TRUE(extra->has_value());
    EXPECT_EQ((*extra)->failure().code(), control::Failure::FAILURE_BUSY);
    // Whoever does not wait is answered all the same.
    const auto look = ask({});
    io_.run_for(20ms);
    EXPECT_TRUE(look->has_value());
    log_.add(Kind::started, "lb1", "");
    io_.restart();
    io_.run_for(10s);
    for (const auto& wait : waits)
        EXPECT_TRUE(wait->has_value());
    // Their places are free again.
    const auto next = ask(waiting(1));
    io_.restart();
    io_.run_for(250ms);
    EXPECT_FALSE(next->has_value());
}

}  // namespace
}  // namespace bascule::node
