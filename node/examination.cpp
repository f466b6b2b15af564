// SPDX-License-Identifier: Apache-2.0
#include "node/examination.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace bascule::node {

namespace {

// As one word of a shell, whatever is in it.
std::string quoted(const std::string& word) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@+=,-";
    if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
    std::string text = "'";
    for (const char letter : word)
        text += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
    return text + "'";
}

std::string fill_in(std::string_view text, const Examination::Words& words) {
    std::string filled;
    while (!text.empty()) {
        const std::size_t open = text.find('{');
        filled += text.substr(0, open);
        if (open == std::string_view::npos) break;
        const std::size_t close = text.find('}', open);
        std::string name(text.substr(open + 1, close - open - 1));
        const bool as_it_is = name.ends_with('!');
        if (as_it_is) name.pop_back();
        const auto word = words.find(name);
        if (word == words.end()) throw std::logic_error("doctor: nobody says {" + name + "}");
        filled += as_it_is ? word->second : quoted(word->second);
        text.remove_prefix(close + 1);
    }
    return filled;
}

}  // namespace

std::string_view name_of(DoctorCheck::Result result) {
    switch (result) {
        case DoctorCheck::Result::not_needed:
            return "not_needed";
        case DoctorCheck::Result::well:
            return "well";
        case DoctorCheck::Result::found:
            return "found";
        case DoctorCheck::Result::not_made:
            break;
    }
    return "not_made";
}

Examination::State& Examination::at(std::string_view code) {
    const DoctorEntry* entry = find_entry(code);
    if (entry == nullptr) throw std::logic_error("doctor: no code " + std::string(code));
    return states_[entry];
}

void Examination::look(std::string_view code) {
    at(code).looked = true;
}

void Examination::found(std::string_view code, std::string what, const Words& words) {
    State& state = at(code);
    state.looked = true;
    if (state.findings.size() == most_of_a_code) {
        ++state.untold;
        return;
    }
    const DoctorEntry* entry = find_entry(code);
    state.findings.push_back(
        {entry, std::move(what), fill_in(entry->command, words), fill_in(entry->advice, words)});
}

void Examination::spare(std::string_view code, std::string why) {
    State& state = at(code);
    state.spared = true;
    if (state.why.empty()) state.why = std::move(why);
}

void Examination::fail(std::string_view code, std::string why) {
    State& state = at(code);
    state.spared = false;
    if (state.why.find(why) != std::string::npos) return;
    state.why += (state.why.empty() ? "" : "; ") + why;
}

void Examination::spare_group(std::string_view title, const std::string& why) {
    for (const DoctorGroup& group : doctor_catalogue())
        if (group.title == title)
            for (const DoctorEntry& entry : group.entries)
                spare(entry.code, why);
}

void Examination::fail_rest(const std::string& why) {
    for (const DoctorGroup& group : doctor_catalogue())
        for (const DoctorEntry& entry : group.entries)
            if (!states_.contains(&entry)) fail(entry.code, why);
}

std::vector<DoctorFinding> Examination::findings() const {
    std::vector<DoctorFinding> all;
    for (const DoctorGroup& group : doctor_catalogue())
        for (const DoctorEntry& entry : group.entries) {
            const auto state = states_.find(&entry);
            if (state == states_.end()) continue;
            all.insert(all.end(), state->second.findings.begin(), state->second.findings.end());
            if (state->second.untold > 0)
                all.back().what += fmt::format(" (and {} more of this kind)", state->second.untold);
        }
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
        return a.entry->severity < b.entry->severity;
    });
    return all;
}

std::vector<DoctorCheck> Examination::checks() const {
    using Result = DoctorCheck::Result;
    std::vector<DoctorCheck> all;
    for (const DoctorGroup& group : doctor_catalogue())
        for (const DoctorEntry& entry : group.entries) {
            const auto known = states_.find(&entry);
            const State state = known == states_.end() ? State{} : known->second;
            const Result result = !state.findings.empty() ? Result::found
                                  : state.looked          ? Result::well
                                  : state.spared          ? Result::not_needed
                                                          : Result::not_made;
            all.push_back({&entry, result, state.why});
        }
    return all;
}

}  // namespace bascule::node
