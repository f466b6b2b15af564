// SPDX-License-Identifier: Apache-2.0
// Runs a program for a check or a hook: as another user, in a process group of its own, with an
// environment that is given and nothing else, its output bounded, killed with its whole group at
// the deadline.
//
// Thread: that of the io_context, which is never blocked.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/config.h"

namespace bascule::health {

struct ProgramEnd {
    static constexpr std::size_t most_output = 4096;

    bool timed_out = false;
    std::optional<int> exit_code;  // nullopt: ended by `signal`
    int signal = 0;
    std::string output;  // of both its outputs, the first most_output bytes
};

// As keepalived does it: whoever may change the program, a link to it or a folder on its way could
// become whom it runs as. So path, every link on the way and every folder must be root's and
// writable for root alone, and the file executable for `user`. Error: what is wrong with which
// path. At each run of a program it is checked anew. Blocks while the user is looked up: for the
// check of a configuration.
Result<void> check_program(const model::ProgramConfig& program);

// `environment`: "NAME=value"; PATH is added. Arguments have to stay until the end. Error: it could
// not be started.
boost::asio::awaitable<Result<ProgramEnd>> run_program(
    boost::asio::io_context& io, const model::ProgramConfig& program,
    const std::vector<std::string>& environment, std::chrono::steady_clock::time_point deadline);

}  // namespace bascule::health
