// SPDX-License-Identifier: Apache-2.0
#include "sync/realtime.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include <cerrno>

#include "base/result.h"

namespace bascule::sync {
namespace {

// Above all ordinary threads; below those that the kernel runs for its interrupts (50).
constexpr int priority = 20;

}  // namespace

std::string take_realtime_priority() {
    ::pthread_setname_np(::pthread_self(), "heartbeat");
    // Without it the kernel may wake a thread of ordinary priority 50 µs late.
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    sched_param wanted{};
    wanted.sched_priority = priority;
    // Zero is the calling thread. What this one might start has no need of it.
    if (::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &wanted) == 0)
        return "SCHED_FIFO " + std::to_string(priority);
    return Error::system("ordinary: SCHED_FIFO is not permitted", errno).text();
}

}  // namespace bascule::sync
