// SPDX-License-Identifier: Apache-2.0
// What systemd would hear: a datagram socket of the test's own takes its place.
#include "node/watchdog.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <string>

#include "base/descriptor.h"

namespace bascule::node {
namespace {

using namespace std::chrono_literals;

class WatchdogTest : public ::testing::Test {
protected:
    void SetUp() override {
        // "@name": a socket without a file.
        const std::string name = "@bascule-watchdog-" + std::to_string(::getpid());
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        name.copy(address.sun_path, sizeof address.sun_path);
        address.sun_path[0] = '\0';
        const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
        ASSERT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
        ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
        ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    }
    void TearDown() override {
        for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"})
            ::unsetenv(name);
    }

    // What has been heard since the last call.
    int heard() {
        std::array<char, 64> text{};
        int count = 0;
        for (ssize_t got = 0;
             (got = ::recv(socket_.get(), text.data(), text.size(), MSG_DONTWAIT)) >= 0; ++count)
            EXPECT_EQ(std::string(text.data(), static_cast<std::size_t>(got)), "WATCHDOG=1");
        return count;
    }

    Descriptor socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    boost::asio::io_context io_;
    Watchdog watchdog_{io_};
};

TEST_F(WatchdogTest, SaysSoAtOnceAndAgain) {
    ::setenv("WATCHDOG_USEC", "2000", 1);
    watchdog_.start();
    EXPECT_EQ(heard(), 1);
    int count = 0;
    for (int i = 0; i < 2000 && count < 3; ++i) {
        io_.run_for(10ms);
        io_.restart();
        count += heard();
    }
    EXPECT_GE(count, 3);
    watchdog_.stop();
    io_.run();  // ends: nothing is left to wait for
    EXPECT_EQ(heard(), 0);
}

TEST_F(WatchdogTest, DoesNothingWhereNobodyWatches) {
    watchdog_.start();
    io_.run();
    EXPECT_EQ(heard(), 0);
}

}  // namespace
}  // namespace bascule::node
