// SPDX-License-Identifier: Apache-2.0
// How often XDP programs are put back that others take off. One by hand is mended at once; against
// a tool that goes on doing it, once a second, for each time costs a load of the interface's
// driver, and the tool will not give up. Pure. Thread: control.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace bascule::node {

class ProgramPace {
public:
    using Time = std::chrono::steady_clock::time_point;
    // So many within this time are put back without delay; after that one every `slow`, until none
    // was taken off for that time again.
    static constexpr std::size_t at_once = 10;
    static constexpr std::chrono::seconds lately{10};
    static constexpr std::chrono::seconds slow{1};

    // Its program was taken off: whether it is to be put back now.
    bool may(const std::string& interface, Time now) const;
    // It is about to be. True: this is one too many, and from now on it is done slowly.
    bool note(const std::string& interface, Time now);
    // It is not, yet. True: it was not said before of this time that it is off.
    bool put_off(const std::string& interface);
    // It carries its program again, at once or after failures: counted where others took it off.
    void put_back(const std::string& interface);
    // Somebody goes on taking it off.
    bool is_fought(const std::string& interface, Time now) const;
    // No others are there any more.
    void keep(const std::vector<std::string>& interfaces);

    // How many were put back, of all interfaces.
    std::uint64_t restored() const { return restored_; }

private:
    struct Row {
        std::deque<Time> last;  // at most `at_once`
        bool slowly = false;
        bool is_put_off = false;
    };

    std::map<std::string, Row> rows_;
    std::set<std::string> taken_off_;  // and not yet back
    std::uint64_t restored_ = 0;
};

}  // namespace bascule::node
