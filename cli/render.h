// SPDX-License-Identifier: Apache-2.0
// Answers as text for people. What is wrong comes first.
//
// Pure, any thread: width, colours and the time are arguments.
#pragma once

#include <cstddef>
#include <ctime>
#include <string>

#include "control/client.h"
#include "control/control.pb.h"

namespace bascule::cli {

struct Screen {
    std::size_t width = 0;  // columns; 0: no limit
    bool colours = false;
    std::time_t now = 0;  // wall clock
    bool all = false;     // counters that are 0 too
    bool detail = false;  // of backends, all that is known
};

// Lines with their ends. A failure is no text for the standard output: see render_failure.
std::string render(const control::Response& response, const Screen& screen);

// "bascule: ..." and the details, one a line.
std::string render_failure(const control::Failure& failure, const Screen& screen);

// The sentence for "there is no answer", with what to do about it; without its line end.
std::string advise(const control::NoAnswer& trouble);

}  // namespace bascule::cli
