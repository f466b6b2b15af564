// SPDX-License-Identifier: Apache-2.0
// One examination by `bascule doctor`: what was looked at, what was found, and what could not be
// looked at and why. Every code of the catalogue has one result in the end.
//
// Bounded: of each code some findings are told and the others counted. Pure; any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "node/doctor_catalogue.h"

namespace bascule::node {

struct DoctorFinding {
    const DoctorEntry* entry = nullptr;
    std::string what;
    std::string command;  // filled in; empty: none
    std::string advice;
};

struct DoctorCheck {
    enum class Result { not_made, not_needed, well, found };
    const DoctorEntry* entry = nullptr;
    Result result = Result::not_made;
    std::string why;  // not made or not needed, as a whole or in part
};
std::string_view name_of(DoctorCheck::Result result);

class Examination {
public:
    static constexpr std::size_t most_of_a_code = 8;

    using Words = std::map<std::string, std::string>;  // for {words} in braces

    // All of these throw std::logic_error for a code that the catalogue does not have.
    //
    // Looked at something, which may be well; found() says so, too.
    void look(std::string_view code);
    // `words` have to be all that its command and advice want, or std::logic_error is thrown.
    void found(std::string_view code, std::string what, const Words& words = {});
    // There is nothing here that could be so.
    void spare(std::string_view code, std::string why);
    // Something could not be looked at. The rest may have been.
    void fail(std::string_view code, std::string why);
    // Of a group of the catalogue, by its title.
    void spare_group(std::string_view title, const std::string& why);
    // All that nobody has said anything of.
    void fail_rest(const std::string& why);

    // Problems first, each in the order of the catalogue.
    std::vector<DoctorFinding> findings() const;
    // In the order of the catalogue.
    std::vector<DoctorCheck> checks() const;

private:
    struct State {
        bool looked = false;
        bool spared = false;
        std::string why;
        std::vector<DoctorFinding> findings;
        std::size_t untold = 0;
    };
    State& at(std::string_view code);

    std::map<const DoctorEntry*, State> states_;
};

}  // namespace bascule::node
