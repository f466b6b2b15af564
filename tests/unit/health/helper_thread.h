// SPDX-License-Identifier: Apache-2.0
// The helper for programs, in a thread of the test's; ends with this.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string>
#include <thread>

#include "base/descriptor.h"
#include "health/program_helper.h"

namespace bascule::testing {

class HelperThread {
public:
    explicit HelperThread(const std::string& path)
        : socket_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(
            ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(socket_.get(), 128), 0);
        thread_ = std::thread([this] { EXPECT_TRUE(health::serve_helper(socket_.get())); });
    }
    HelperThread(const HelperThread&) = delete;
    HelperThread& operator=(const HelperThread&) = delete;
    ~HelperThread() {
        ::shutdown(socket_.get(), SHUT_RDWR);
        thread_.join();
    }

private:
    Descriptor socket_;
    std::thread thread_;
};

}  // namespace bascule::testing
