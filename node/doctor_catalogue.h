// SPDX-License-Identifier: Apache-2.0
// All that `bascule doctor` can find: the code, what it means to the operator, and what mends it.
// What is found is written against it and docs/reference/doctor.md is printed from it, so neither
// can drift.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace bascule::node {

// Wrong: clients suffer, or would if something else failed. Costs something. Good to know.
enum class Severity { problem, warning, note };
std::string_view name_of(Severity severity);

// {words} in braces are filled in where it is found, quoted for a shell; {words!} as they are.
struct DoctorEntry {
    std::string_view code;  // never changes: it is searched for
    Severity severity = Severity::problem;
    std::string_view looks_at;  // a few words
    std::string_view meaning;   // a sentence or two, plain; Markdown without line breaks
    std::string_view command;   // for this host's shell; empty: no command mends it
    std::string_view advice;    // what else to do, or to look at; may be empty
};

struct DoctorGroup {
    std::string_view title;
    std::span<const DoctorEntry> entries;
};

std::span<const DoctorGroup> doctor_catalogue();
// nullptr: there is none of that code.
const DoctorEntry* find_entry(std::string_view code);

// docs/reference/doctor.md.
std::string doctor_reference();

}  // namespace bascule::node
