// SPDX-License-Identifier: Apache-2.0
// What is said between the daemon and its helper for programs (program_helper.h), on one connection
// of a SOCK_SEQPACKET socket for each program: a request with two descriptors there, how the
// program ended back. Both are the same program, of one host; a version guards an upgrade all the
// same.
//
// Thread: any.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"
#include "health/program_start.h"

namespace bascule::health {

struct ProgramRequest {
    std::vector<std::string> command;
    std::vector<std::string> environment;
    ProgramUser user;    // its name is for people, and stays behind
    Descriptor output;   // both of the program's outputs go there
    Descriptor failure;  // what keeps the child from becoming the program goes there
};

// A thread of who asks.
struct PriorityRequest {
    pid_t thread = 0;
    int priority = 0;
};

// Sends copies of the descriptors. Does not block: EAGAIN is an error, too.
Result<void> send_request(int socket, const ProgramRequest& request);
// Errors: nothing whole has come (the other end is closed, say), another version, too long, no
// descriptors. Does not block.
Result<ProgramRequest> receive_request(int socket);

// Neither blocks. False: it could not be sent.
bool send_priority_request(int socket, const PriorityRequest& request);
// Nullopt: something else is next, which stays to be read.
std::optional<PriorityRequest> receive_priority_request(int socket);

// Whether anybody hears it is not told: who has gone does not care.
void send_end(int socket, const ProcessEnd& end);
// Nullopt: it has not come yet. An end that nobody knows: the helper has gone.
std::optional<ProcessEnd> receive_end(int socket);

}  // namespace bascule::health
