// SPDX-License-Identifier: Apache-2.0
// A thread of real-time priority that is busy without an end takes the processor from all others.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <ctime>

#include "sync/socket_address.h"
#include "tests/unit/sync/heartbeat_bed.h"

namespace bascule::sync {
namespace {

using namespace std::chrono_literals;

// Of this process: the descriptor of the UDP socket that is bound to an endpoint.
int socket_at(const model::Endpoint& own) {
    for (int fd = 0; fd < 1024; ++fd) {
        int type = 0;
        socklen_t size = sizeof type;
        if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_DGRAM)
            continue;
        sockaddr_storage name{};
        socklen_t length = sizeof name;
        if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length) == 0 &&
            endpoint_of(name) == own)
            return fd;
    }
    return -1;
}

std::chrono::nanoseconds processor_time() {
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

// Whatever the kernel means by it: here the socket was shut down, so that poll() says for ever that
// there is something, and there is nothing.
TEST(HeartbeatSpin, ASocketThatIsReadableForNothingCostsLittle) {
    HeartbeatBed bed(loopback_cluster(2, 2, 20ms));
    const auto lb1 = bed.start("lb1", 1);
    const auto lb2 = bed.start("lb2", 2);
    ASSERT_TRUE(bed.wait_for([&] { return lb1->all_alive() && lb2->all_alive(); }));
    const int fd = socket_at(bed.cluster.nodes[0].addresses[0]);
    ASSERT_GE(fd, 0);
    ::shutdown(fd, SHUT_RD);  // says ENOTCONN, and does it
    const auto before = processor_time();
    bed.pass(1s);
    EXPECT_LT(processor_time() - before, 500ms);  // of a second; a loop without an end takes most
    // The other path brings heartbeats as ever.
    EXPECT_EQ(lb1->sees(0), Liveness::alive);
    EXPECT_EQ(lb2->sees(0), Liveness::alive);
}

}  // namespace
}  // namespace bascule::sync
