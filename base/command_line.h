// SPDX-License-Identifier: Apache-2.0
// What the programs have in common in reading their command lines: help that fits 100 columns, and
// for wrong usage what would be right. A library of its own, since CLI11 belongs to programs.
// Called by the main thread, before others are there.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace bascule::command_line {

// Gives the program its form of help, and --version, which prints `version`. Before commands are
// added, which inherit it. The program has to have a name.
void set_form(CLI::App& app, const std::string& version);

// After a parse that threw: prints the help or version that was asked for, or on the standard error
// what was wrong. Returns the exit code: 0, or 2 for wrong usage.
int explain(const CLI::App& app, const CLI::ParseError& error);

// Of the values of an option or argument. They say what is expected.
CLI::Validator one_of(std::vector<std::string> words);
CLI::Validator number(std::uint64_t least, std::uint64_t most);
CLI::Validator seconds(double most);  // more than none, with decimals

}  // namespace bascule::command_line
