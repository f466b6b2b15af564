// SPDX-License-Identifier: Apache-2.0
// Programs of checks and hooks, started by a process of their own: the daemon then needs no right
// to become other users, and a program is not held to what the daemon is held to.
//
// Invariant: a program lives no longer than its connection. When the daemon ends, however it ends,
// the helper ends its programs; when the helper ends, the kernel does.
#pragma once

#include <string>

#include "base/result.h"
#include "health/program_start.h"

namespace bascule::health {

// From now on start_process() asks the helper that listens at `path`; empty: nobody. Call it before
// there are other threads.
void use_helper(std::string path);
// Empty: there is none.
const std::string& helper_socket();

// As start_process(), by the helper.
Result<Process> start_by_helper(const std::vector<std::string>& command,
                                const std::vector<std::string>& environment,
                                const ProgramUser& user);

// For a thread of this process: SCHED_FIFO at `priority`, reset in what it starts. False: nobody
// gave it within a second. Blocks the calling thread meanwhile.
bool ask_helper_for_priority(pid_t thread, int priority);

// The helper itself, on a listening SOCK_SEQPACKET socket, which it makes non-blocking: does what
// processes of its own user ask for, at most 256 programs at once; others wait. Returns when the
// socket is shut down; what runs then is killed with it.
Result<void> serve_helper(int listener);

}  // namespace bascule::health
