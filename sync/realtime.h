// SPDX-License-Identifier: Apache-2.0
// A thread that nothing else of this host is to delay.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace bascule::sync {

// What runs before what.
enum class Urgency {
    heartbeat,  // the heartbeats, at 20: above all ordinary threads
    hands,      // what carries out what they decide, at 10
};

// Who gives a thread (by its number) what it may not take by itself, and says whether it did;
// called by that thread. Set before there are others.
void ask_for_realtime(std::function<bool(pid_t thread, int priority)> giver);

// Of the calling thread, which it also names (at most 15 letters). Says what came of it:
// "SCHED_FIFO 20", or that it runs without and why.
std::string take_realtime_priority(const char* name, Urgency urgency);

}  // namespace bascule::sync
