// SPDX-License-Identifier: Apache-2.0
// Runs one made packet through the loaded program, on the tables as they are at this moment.
//
// What runs is the tracing copy: it writes notes and nothing that a live packet could meet, so no
// session, counter, announcement or budget is left behind. Thread: control.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/dataplane.h"
#include "dataplane/notes.h"

namespace bascule::dataplane {

// BPF_PROG_TEST_RUN keeps a frame in one page, with room before and behind it.
inline constexpr std::size_t shortest_traced_frame = 14;
inline constexpr std::size_t longest_traced_frame = 3400;

struct Traced {
    Verdict verdict = Verdict::aborted;
    std::vector<std::uint8_t> frame;  // as it would leave, or as it was when it was dropped
    Notes notes;
};

// `frame`: whole, from its Ethernet header on, as it would come in by `interface`, which carries a
// program.
Result<Traced> trace(Dataplane& dataplane, const std::string& interface,
                     std::span<const std::uint8_t> frame);

}  // namespace bascule::dataplane
