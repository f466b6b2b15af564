// SPDX-License-Identifier: Apache-2.0
// One packet, and all that is to become of it.
#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <ostream>
#include <string>
#include <vector>

#include "engine.h"
#include "frame.h"

namespace bascule::test {

struct PacketCase {
    std::string title;
    Bytes in;
    Verdict verdict = Verdict::pass;
    // Drops and events by name that are to count one each; no other may.
    std::vector<std::string> counts;
};

inline void PrintTo(const PacketCase& test, std::ostream* out) {
    *out << test.title;
}

// A frame that opens a session and is sent to a backend.
inline PacketCase delivered(std::string title, Bytes in) {
    return {std::move(title), std::move(in), Verdict::tx, {"session_inserted"}};
}
inline PacketCase passed(std::string title, Bytes in, std::vector<std::string> counts = {}) {
    return {std::move(title), std::move(in), Verdict::pass, std::move(counts)};
}
inline PacketCase dropped(std::string title, Bytes in, std::string reason) {
    return {std::move(title), std::move(in), Verdict::drop, {std::move(reason)}};
}

// The cases of packet_test.cpp, by what they are about.
std::vector<PacketCase> plain_packets();
std::vector<PacketCase> vlan_packets();
std::vector<PacketCase> ipv4_option_packets();
std::vector<PacketCase> extension_packets();
std::vector<PacketCase> length_packets();
std::vector<PacketCase> tcp_flag_packets();
std::vector<PacketCase> fragment_packets();
std::vector<PacketCase> other_packets();

inline std::string title_of(const ::testing::TestParamInfo<PacketCase>& info) {
    std::string title;
    for (const char c : info.param.title)
        title += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    return title;
}

}  // namespace bascule::test
