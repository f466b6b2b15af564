// SPDX-License-Identifier: Apache-2.0
// What every command does alike: reach the daemon, show its answer or the failure, end with a code.
// With --json the standard output holds one document, whatever happens.
//
// Thread: the main one.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "cli/options.h"
#include "cli/render.h"
#include "control/client.h"

namespace bascule::cli {

enum Exit { kWell = 0, kFailed = 1, kUnreachable = 3, kDegraded = 4 };

void print(const std::string& text);     // to the standard output
void complain(const std::string& text);  // to the standard error

// Width, colours and time for what goes to this descriptor.
Screen screen_of(int fd, const Options& options);

// One sentence to people on stderr, or a document to programs on stdout. Returns `code`.
int fail(const Options& options, Exit code, std::string_view name, const std::string& sentence);
int no_answer(const Options& options, const control::NoAnswer& trouble);

tl::expected<control::Client, control::NoAnswer> connect(const Options& options);

// The answer, and the code that goes with it.
int show(const Options& options, const control::Response& response);

// Asks and shows.
int ask(const Options& options, const control::Request& request);

}  // namespace bascule::cli
