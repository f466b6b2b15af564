// SPDX-License-Identifier: Apache-2.0
// A process of another user's, from fork to its last breath: everything that its descriptors,
// signals, groups and privileges should be stands in start_process() and nowhere else.
//
// Thread: one at a time. Only starting takes time: that of a fork.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"
#include "health/program_user.h"

namespace bascule::health {

// How a process ended.
struct ProcessEnd {
    std::optional<int> exit_code;  // nullopt: by `signal`
    int signal = 0;                // 0 too: nobody knows, as somebody else has waited for it
};

// A child that is not waited for yet. Owns its descriptors; destroying it neither kills nor waits.
struct Process {
    // Ends it and its whole group at once; what has left the group lives on.
    void kill_group() const;
    // Whether reap() will tell how.
    bool has_ended() const;
    // Nullopt: it has not ended. Once it has, its number may be another process's: no kill_group()
    // any more.
    std::optional<ProcessEnd> reap() const;
    // What kept it from becoming the program; nullopt: nothing, as far as is known by now.
    std::optional<Error> start_failure() const;

    pid_t pid = -1;       // -1: the helper's child (program_helper.h), by which
    bool helped = false;  // `pidfd` is the connection to it
    Descriptor pidfd;     // readable when it has ended
    Descriptor output;    // both its outputs; does not block
    Descriptor failure;   // what start_failure() reads
};

// Its reader does not block, its writer does.
struct ProgramPipe {
    Descriptor from;
    Descriptor to;
};
Result<ProgramPipe> make_program_pipe();

// What a child is to become. All of it outlives the call that it is given to.
struct ProgramPlan {
    const std::vector<std::string>& command;
    const std::vector<std::string>& environment;
    const ProgramUser& user;
    int output;   // where both its outputs go
    int failure;  // where it tells what went wrong before it was the program
};

// Only the child, as below; its ends of pipes are the caller's.
Result<Process> fork_program(const ProgramPlan& program);

// By the helper where there is one. The child: a session of its own, `user`, no privileges to gain,
// no descriptors but its output, default signals, "/" as its folder, and `environment`
// ("NAME=value"). Killed with this process.
Result<Process> start_process(const std::vector<std::string>& command,
                              const std::vector<std::string>& environment, const ProgramUser& user);

}  // namespace bascule::health
