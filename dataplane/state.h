// SPDX-License-Identifier: Apache-2.0
// Which maps the engine runs on: those that are pinned where they fit, new ones where not.
//
// Invariant: <version>/maps is not there, or is a whole set that belongs together. A changed set is
// pinned beside it as maps_next and put in its place by one rename; what it replaced stands as
// maps_next then, until its sessions are taken over. So a process may die at any step: the serial
// numbers tell the next one which of the two sets is the older one.
//
// Tables, rings, sessions and their settings are adopted together or not at all: a session means
// something only with the slots and generations that it names.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "bpf/contract.h"
#include "dataplane/bpffs.h"
#include "dataplane/dataplane.h"
#include "dataplane/loader.h"

namespace bascule::dataplane {

// Session tables that were in use before, whose sessions are wanted.
struct Predecessor {
    Descriptor sessions4;
    Descriptor sessions6;
    bsc_settings settings{};
};

struct State {
    MapFds maps;
    bsc_settings settings{};
    Constants constants;
    std::optional<Program> program;  // the copy for port 0
    bool adopted = false;            // the tables were there
    bool pinned_next = false;        // maps_next has to be put in place
    std::optional<Predecessor> predecessor;
};

// Finds or makes the maps and loads the first copy of the program. Afterwards, when
// `pinned_next`, the caller copies sessions, calls commit(), and finish() at the end.
Result<State> open_state(const Pins& pins, const Options& options, std::uint32_t clock_multiplier);
// The new set of maps becomes the one that is found by the next process.
Result<void> commit(const Pins& pins);
// Forgets what was replaced.
Result<void> finish(const Pins& pins);

std::uint32_t pages_for(std::uint32_t sessions, std::uint32_t sets_per_page);

}  // namespace bascule::dataplane
