// SPDX-License-Identifier: Apache-2.0
#include "sync/realtime.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/result.h"

namespace bascule::sync {
namespace {

// Above all ordinary threads; below those that the kernel runs for its interrupts (50).
int priority_of(Urgency urgency) {
    return urgency == Urgency::heartbeat ? 20 : 10;
}

std::function<bool(pid_t, int)>& giver() {
    static std::function<bool(pid_t, int)> somebody;
    return somebody;
}

}  // namespace

void ask_for_realtime(std::function<bool(pid_t thread, int priority)> somebody) {
    giver() = std::move(somebody);
}

std::string take_realtime_priority(const char* name, Urgency urgency) {
    ::pthread_setname_np(::pthread_self(), name);
    const int priority = priority_of(urgency);
    // Without it the kernel may wake a thread of ordinary priority 50 µs late.
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    sched_param wanted{};
    wanted.sched_priority = priority;
    // Zero is the calling thread. What this one might start has no need of it.
    if (::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &wanted) == 0)
        return "SCHED_FIFO " + std::to_string(priority);
    const int code = errno;
    if (giver() && giver()(::gettid(), priority)) return "SCHED_FIFO " + std::to_string(priority);
    return Error::system("ordinary: SCHED_FIFO is not permitted", code).text();
}

}  // namespace bascule::sync
