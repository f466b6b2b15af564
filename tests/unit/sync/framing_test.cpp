// SPDX-License-Identifier: Apache-2.0
#include "sync/framing.h"

#include <gtest/gtest.h>

#include <string>

#include "sync/messages.h"
#include "tests/unit/sync/wire_bytes.h"

namespace bascule::sync {
namespace {

using test::bytes_of;

std::string framed(const std::string& body) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8)
        out.push_back(static_cast<char>(body.size() >> shift));
    return out + body;
}

// All frames that are whole, or the error behind them.
std::vector<std::string> take(FrameReader& reader) {
    std::vector<std::string> out;
    for (;;) {
        const auto frame = reader.next();
        if (!frame) {
            out.push_back("error: " + frame.error().text());
            return out;
        }
        if (!*frame) return out;
        out.emplace_back((*frame)->begin(), (*frame)->end());
    }
}

using Frames = std::vector<std::string>;

TEST(Framing, WholeFramesHoweverTheyAreCut) {
    const Frames bodies = {"a", std::string(300, 'b'), std::string(70'000, 'c'), "d"};
    std::string stream;
    for (const std::string& body : bodies)
        stream += framed(body);
    for (const std::size_t piece : {1UL, 3UL, 4UL, 5UL, 304UL, 100'000UL}) {
        FrameReader reader;
        Frames read;
        for (std::size_t at = 0; at < stream.size(); at += piece) {
            reader.push(bytes_of(std::string_view(stream).substr(at, piece)));
            for (std::string& frame : take(reader))
                read.push_back(std::move(frame));
        }
        EXPECT_EQ(read, bodies) << piece;
    }
}

TEST(Framing, NothingUntilItIsWhole) {
    FrameReader reader;
    EXPECT_EQ(take(reader), Frames{});
    reader.push(bytes_of(framed("abc").substr(0, 6)));
    EXPECT_EQ(take(reader), Frames{});
    reader.push(bytes_of("c"));
    EXPECT_EQ(take(reader), Frames{"abc"});
    EXPECT_EQ(take(reader), Frames{});
}

TEST(Framing, LengthsHaveBounds) {
    FrameReader empty;
    empty.push(bytes_of(framed("x") + framed("")));
    EXPECT_EQ(take(empty), (Frames{"x", "error: an empty frame"}));

    FrameReader longest;
    longest.push(bytes_of(framed(std::string(most_frame, 'l'))));
    EXPECT_EQ(take(longest), Frames{std::string(most_frame, 'l')});

    // Refused by its length alone.
    FrameReader too_long;
    too_long.push(bytes_of(framed(std::string(most_frame + 1, 'l')).substr(0, 4)));
    EXPECT_EQ(take(too_long), Frames{"error: a frame of 1048577 bytes, at most 1048576"});
    EXPECT_EQ(take(too_long), Frames{"error: a frame of 1048577 bytes, at most 1048576"});
    FrameReader longest_length;
    longest_length.push(bytes_of("\xff\xff\xff\xff"));
    EXPECT_EQ(take(longest_length), Frames{"error: a frame of 4294967295 bytes, at most 1048576"});
}

}  // namespace
}  // namespace bascule::sync
