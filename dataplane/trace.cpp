// SPDX-License-Identifier: Apache-2.0
#include "dataplane/trace.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "dataplane/libbpf_log.h"

namespace bascule::dataplane {

namespace {

// Encapsulated in IPv6 and UDP, and tagged.
constexpr std::size_t most_growth = 256;
constexpr std::uint32_t tracing_notes = 0;  // index in the map `notes`
// No walk takes all steps: notes that say so are untouched.
constexpr std::uint32_t untouched = BSC_NONE;

// One copy a possible CPU. Which CPU a test runs on is not told: it is the one that wrote.
using AllNotes = std::vector<bsc_notes>;
static_assert(sizeof(bsc_notes) % 8 == 0, "the kernel pads per-CPU values to 8 bytes");

Result<AllNotes> blank_notes(int map) {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return failure(Error::system("count the possible CPUs", -cpus));
    bsc_notes blank{};
    blank.steps = untouched;
    AllNotes notes(static_cast<std::size_t>(cpus), blank);
    if (bpf_map_update_elem(map, &tracing_notes, notes.data(), BPF_ANY) != 0)
        return failure(bpf_error("clear the notes", errno));
    return notes;
}

Result<bsc_notes> written_notes(int map, AllNotes& notes) {
    if (bpf_map_lookup_elem(map, &tracing_notes, notes.data()) != 0)
        return failure(bpf_error("read the notes", errno));
    const auto written = std::find_if(notes.begin(), notes.end(),
                                      [](const bsc_notes& one) { return one.steps != untouched; });
    if (written == notes.end()) return failure("the program left no notes");
    return *written;
}

Result<Traced> run(int program, std::span<const std::uint8_t> frame) {
    Traced traced;
    traced.frame.resize(frame.size() + most_growth);
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    options.data_out = traced.frame.data();
    options.data_size_out = static_cast<std::uint32_t>(traced.frame.size());
    options.repeat = 1;
    if (const int error = bpf_prog_test_run_opts(program, &options); error != 0)
        return failure(bpf_error(
            "run the program with a frame of " + std::to_string(frame.size()) + " bytes", -error));
    traced.frame.resize(options.data_size_out);
    traced.verdict = static_cast<Verdict>(options.retval);
    return traced;
}

}  // namespace

Result<Traced> trace(Dataplane& dataplane, const std::string& interface,
                     std::span<const std::uint8_t> frame) {
    if (frame.size() < shortest_traced_frame || frame.size() > longest_traced_frame)
        return failure("a frame of " + std::to_string(frame.size()) +
                       " bytes cannot be traced: " + std::to_string(shortest_traced_frame) +
                       " to " + std::to_string(longest_traced_frame) + " can");
    auto program = dataplane.tracing_program(interface);
    if (!program) return failure(std::move(program.error()));
    const int map = dataplane.map_fd("notes");
    auto notes = blank_notes(map);
    if (!notes) return failure(std::move(notes.error()));
    auto traced = run(*program, frame);
    if (!traced) return traced;
    auto written = written_notes(map, *notes);
    if (!written) return failure(std::move(written.error()));
    traced->notes = notes_of(*written, dataplane.seconds());
    return traced;
}

}  // namespace bascule::dataplane
