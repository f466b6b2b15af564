// SPDX-License-Identifier: Apache-2.0
// Users are looked up without anybody waiting for a database that hangs.
#include "health/user_lookups.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <memory>
#include <semaphore>
#include <thread>

#include "health/program.h"
#include "tests/unit/health/await_result.h"

namespace bascule::health {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// A database that answers when it is let; shared with threads that outlive the test's loop.
struct SlowDatabase {
    std::counting_semaphore<> let{0};
    std::atomic<int> asked{0};
    std::atomic<int> answered{0};
};

class UserLookup : public ::testing::Test {
protected:
    ~UserLookup() override {
        database_->let.release(database_->asked);
        while (database_->answered < database_->asked)
            std::this_thread::sleep_for(1ms);
    }
    UserLookups& users() { return asio::use_service<UserLookups>(*io_); }
    void hang() {
        users().set_database([database = database_](const std::string& name) {
            ++database->asked;
            database->let.acquire();
            ++database->answered;
            return Result<ProgramUser>(ProgramUser{name, 4711, 4711, {}});
        });
    }

    std::shared_ptr<SlowDatabase> database_ = std::make_shared<SlowDatabase>();
    std::unique_ptr<asio::io_context> io_ = std::make_unique<asio::io_context>();
};

TEST_F(UserLookup, FindsWhoIsThereAndSaysWhoIsNot) {
    const auto root = testing::await_result(*io_, users().find("root", Clock::now() + 20s));
    ASSERT_TRUE(root) << root.error().text();
    EXPECT_EQ(root->uid, 0U);
    EXPECT_TRUE(root->has_group(0));
    const auto none = testing::await_result(*io_, users().find("no-such-user", Clock::now() + 20s));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().text(), "there is no user \"no-such-user\"");
}

TEST_F(UserLookup, ADatabaseThatHangsEndsARunInTimeAndKeepsNobodyFromWork) {
    hang();
    int ticks = 0;
    asio::co_spawn(
        *io_,
        [&]() -> asio::awaitable<void> {
            asio::steady_timer timer(*io_);
            for (; ticks < 5; ++ticks) {
                timer.expires_after(20ms);
                co_await timer.async_wait(asio::use_awaitable);
            }
        },
        asio::detached);
    const std::vector<std::string> environment;
    const model::ProgramConfig program{{"/bin/true"}, "nobody", {}};
    const auto end =
        testing::await_result(*io_, run_program(*io_, program, environment, Clock::now() + 300ms));
    ASSERT_FALSE(end);
    EXPECT_EQ(end.error().text(), "the user database has not answered in time who \"nobody\" is");
    EXPECT_EQ(ticks, 5);
}

TEST_F(UserLookup, ManyWhoAskForOneAreOneQuestion) {
    hang();
    int found = 0;
    for (int i = 0; i < 50; ++i)
        asio::co_spawn(
            *io_,
            [&]() -> asio::awaitable<void> {
                const auto user = co_await users().find("nobody", Clock::now() + 20s);
                if (user && user->uid == 4711) ++found;
            },
            asio::detached);
    io_->run_for(50ms);
    EXPECT_EQ(found, 0);
    database_->let.release();
    io_->restart();
    io_->run();
    EXPECT_EQ(found, 50);
    EXPECT_EQ(database_->asked, 1);
}

TEST_F(UserLookup, AnAnswerThatComesAfterTheEndHarmsNobody) {
    hang();
    asio::co_spawn(
        *io_,
        [this]() -> asio::awaitable<void> { co_await users().find("nobody", Clock::now() + 600s); },
        asio::detached);
    while (database_->asked == 0)
        io_->run_one_for(5ms);
    io_.reset();
}

}  // namespace
}  // namespace bascule::health
