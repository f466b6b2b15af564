// SPDX-License-Identifier: Apache-2.0
// The engine as the product opens it, with frames given to it by BPF_PROG_TEST_RUN.
//
// Thread: run() may be called from any thread; all else belongs to one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/dataplane.h"
#include "dataplane/session_table.h"
#include "frame.h"
#include "model/tables.h"

namespace bascule::test {

enum class Verdict : std::uint32_t { aborted, drop, pass, tx, redirect };
std::ostream& operator<<(std::ostream& out, Verdict verdict);

struct Outcome {
    Verdict verdict = Verdict::aborted;
    Bytes frame;
};

// "0200 0000 0001 ...", for messages and comparisons that a human reads.
std::string hex(const Bytes& bytes);

// Drops and events by the names that an operator sees.
using Counts = std::map<std::string, std::uint64_t>;

// One run of a program with a frame. `nanoseconds` is the kernel's average over `repeat`.
struct Run {
    Outcome outcome;
    std::uint32_t nanoseconds = 0;
};
Result<Run> run_program(int program, const Bytes& frame, std::uint32_t repeat = 1);

class Engine {
public:
    // Of every engine here, so that rings are the same from run to run.
    static constexpr std::array<std::uint64_t, 2> ring_key = {0x0706050403020100,
                                                              0x0f0e0d0c0b0a0908};

    // `name` sets its bpffs directory apart from that of other engines of the process.
    static Result<std::unique_ptr<Engine>> open(const std::string& name,
                                                std::uint32_t max_sessions);
    ~Engine();

    // Brings the tables to what is wanted, by the product's plan.
    Result<void> want(const model::Desired& desired);
    // Ends all sessions and empties the delta logs.
    void forget_sessions();

    // Forgets how many ICMP answers were given this second, and all fragments.
    void forget_answers_and_fragments();
    // Makes all that is known of fragments older.
    void age_fragments(std::uint32_t seconds);

    // Throws std::runtime_error when the kernel refuses to run it.
    Outcome run(const Bytes& frame) const;
    // What was counted since the last call, without those that stand still.
    Counts counted();
    // Names that counted() of any engine of the process has ever told.
    static const std::set<std::string>& ever_counted();
    // All live sessions.
    std::vector<dataplane::Session> sessions();
    std::vector<bsc_delta> deltas();
    // Slot of a service; BSC_MAX_SERVICES when it is not there.
    std::uint16_t service_slot(const model::ServiceKey& key) const;
    // The session as the table has it; none when it has none.
    std::optional<dataplane::Session> session(const dataplane::SessionKey& key);

    dataplane::Dataplane& dataplane() { return *dataplane_; }
    const std::string& bpffs() const { return bpffs_; }

private:
    Engine(std::unique_ptr<dataplane::Dataplane> dataplane, std::string bpffs);
    Counts totals() const;
    int map(const std::string& name) const;

    std::unique_ptr<dataplane::Dataplane> dataplane_;
    std::string bpffs_;
    Counts seen_;
};

// Index of one of the interfaces of world.h.
std::uint32_t interface_index(const char* name);

}  // namespace bascule::test
