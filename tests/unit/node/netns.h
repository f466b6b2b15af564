// SPDX-License-Identifier: Apache-2.0
// Two network namespaces of the test's own, joined by a veth pair: "here", where the code under
// test runs, and "there", whose kernel answers as another host would.
//
// Both are held by descriptors only, so they end with the process, however it ends.
// Single-threaded.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

#include "base/address.h"
#include "node/links.h"
#include "node/netlink.h"

namespace bascule::node::testing {

inline Address ip(const char* text) {
    return Address::parse(text).value();
}

class Namespaces : public ::testing::Test {
protected:
    static constexpr const char* mac_here = "02:00:00:00:00:0a";
    static constexpr const char* mac_there = "02:00:00:00:00:0b";

    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "needs root, for network namespaces";
        original_ = open_current();
        here_ = make();
        there_ = make();
        enter(here_);
        run("ip link set lo up");
        run("ip link add eth0 address " + std::string(mac_here) +
            " type veth peer name eth1 address " + mac_there);
        run("ip link set eth1 netns /proc/" + std::to_string(getpid()) + "/fd/" +
            std::to_string(there_));
        // The kernel's own duplicate detection would make fresh IPv6 addresses wait.
        write("/proc/sys/net/ipv6/conf/eth0/accept_dad", "0");
        run("ip addr add 10.9.0.1/24 dev eth0");
        run("ip addr add 2001:db8::1/64 dev eth0 nodad");
        run("ip link set eth0 up");
        there([] {
            run("ip link set lo up");
            write("/proc/sys/net/ipv6/conf/eth1/accept_dad", "0");
            run("ip addr add 10.9.0.2/24 dev eth1");
            run("ip addr add 2001:db8::2/64 dev eth1 nodad");
            run("ip link set eth1 up");
        });
        auto requests = NetlinkRequests::open();
        ASSERT_TRUE(requests) << requests.error().text();
        requests_ = std::make_unique<NetlinkRequests>(std::move(*requests));
        // Answers come only once the link is up on both sides.
        for (int i = 0; i < 200 && !find_link(*requests_, "eth0")->carrier; ++i)
            usleep(10'000);
    }

    void TearDown() override {
        requests_.reset();
        if (original_ < 0) return;
        enter(original_);
        for (const int fd : {original_, here_, there_})
            close(fd);
    }

    // Runs `what` as the other host.
    template <typename What>
    void there(What what) {
        enter(there_);
        what();
        enter(here_);
    }

    static void run(const std::string& command) {
        if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
    }

    static std::string output(const std::string& command) {
        FILE* pipe = popen(command.c_str(), "r");
        std::string text;
        for (int c = 0; pipe != nullptr && (c = fgetc(pipe)) != EOF;) {
            text.push_back(static_cast<char>(c));
        }
        if (pipe != nullptr) pclose(pipe);
        return text;
    }

    static void write(const std::string& file, const std::string& text) {
        std::ofstream out(file);
        out << text << std::flush;
        if (!out) throw std::runtime_error("cannot write " + file);
    }

    // Runs the io_context until `done`, or for so long that something must be broken.
    template <typename Until>
    bool run_until(Until done, std::chrono::seconds limit = std::chrono::seconds(20)) {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!done()) {
            if (std::chrono::steady_clock::now() > end) return false;
            io_.restart();
            io_.run_one_for(std::chrono::milliseconds(50));
        }
        return true;
    }

    void run_for(std::chrono::milliseconds time) {
        const auto end = std::chrono::steady_clock::now() + time;
        run_until([&] { return std::chrono::steady_clock::now() >= end; });
    }

    Link link() { return find_link(*requests_, "eth0").value(); }

    boost::asio::io_context io_;
    std::unique_ptr<NetlinkRequests> requests_;

private:
    static int open_current() {
        const int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (fd < 0) throw std::runtime_error("cannot open the network namespace");
        return fd;
    }
    static int make() {
        if (unshare(CLONE_NEWNET) != 0) throw std::runtime_error("cannot unshare the network");
        return open_current();
    }
    static void enter(int fd) {
        if (setns(fd, CLONE_NEWNET) != 0) throw std::runtime_error("cannot enter a namespace");
    }

    int original_ = -1;
    int here_ = -1;
    int there_ = -1;
};

}  // namespace bascule::node::testing
