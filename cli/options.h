// SPDX-License-Identifier: Apache-2.0
// The command line as values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "cli/key_rotation.h"
#include "control/control.pb.h"

namespace bascule::cli {

// What is asked of a running daemon.
struct Ask {
    control::Request request;
};
// The daemon if there is one, else its program.
struct Detach {
    std::string bpffs;
};
struct Check {
    std::string file;
};
struct Version {};
// The daemon, else its program, which has to be told where things are.
struct Doctor {
    std::string config = "/etc/bascule/bascule.toml";
    std::string bpffs = "/sys/fs/bpf/bascule";
    std::string state_dir = "/var/lib/bascule";
};
// The key file of a cluster: made, or taken a step further.
struct Keygen {
    std::string file;
    std::string ring_from;  // where its ring secret comes from; empty: a new one
    std::optional<KeyStep> rotate;
};
// A drain, and the wait for the last session.
struct DrainWait {
    std::string backend;
    std::optional<std::chrono::seconds> longest;  // none: as long as it takes
};

// Packets, until it is enough.
struct Capture {
    control::CaptureStartRequest start;
    std::string file;         // pcapng; "-": the standard output, empty: lines
    std::uint64_t count = 0;  // packets; 0: no limit
};

// Events: those of the past, and with `follow` what comes.
struct EventWatch {
    control::EventsRequest start;
    bool follow = false;
};

struct Options {
    std::string runtime_dir = "/run/bascule";
    double timeout_seconds = 30;
    bool json = false;
    bool all = false;     // drops, status: counters that are 0 too; doctor: every check
    bool detail = false;  // backends, health of one: all that is known of each
    std::string command;  // as JSON has it: "status", "show sessions"
    std::variant<Version, Check, Detach, Doctor, Keygen, DrainWait, Capture, EventWatch, Ask> task;
};

// Nothing when the program is to end with `exit_code`: help was given, or the usage was wrong and
// has been explained.
std::optional<Options> parse_options(int argc, char** argv, int& exit_code);

}  // namespace bascule::cli
