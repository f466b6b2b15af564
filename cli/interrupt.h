// SPDX-License-Identifier: Apache-2.0
// Ctrl-C as a word to the program instead of its end: for work that has to end properly.
//
// Thread: the main one.
#pragma once

namespace bascule::cli {

// While it lives, the first SIGINT, SIGTERM or SIGHUP is only noted; a second one ends the program
// at once. At most one at a time.
class InterruptCatch {
public:
    InterruptCatch();
    ~InterruptCatch();
    InterruptCatch(const InterruptCatch&) = delete;
    InterruptCatch& operator=(const InterruptCatch&) = delete;

    int caught() const;  // the signal; 0: none
};

}  // namespace bascule::cli
