// SPDX-License-Identifier: Apache-2.0
// By which path a peer is to be reached next. Pure. Thread: that of its stream.
//
// Paths that bring heartbeats come first, of those the one whose last failure is longest ago. When
// all paths have been tried in vain, heartbeats no longer count: a wire that lets pass nothing but
// streams is used, too.
#pragma once

#include <cstdint>
#include <vector>

namespace bascule::sync {

class PathChoice {
public:
    explicit PathChoice(std::size_t paths) : paths_(paths) {}

    void set_alive(std::size_t path, bool alive) { paths_.at(path).alive = alive; }
    bool alive(std::size_t path) const { return paths_.at(path).alive; }
    // This one is dead and another lives.
    bool better_than(std::size_t path) const;

    std::size_t next() const;
    // For a stream that is to be moved: only to where heartbeats are. There has to be such a path.
    std::size_t next_alive() const { return least(true); }
    void failed(std::size_t path);  // an attempt, or a stream that stood
    void succeeded();               // a stream stands

private:
    struct Path {
        bool alive = false;
        std::uint64_t failed = 0;  // which of the failures was its last; 0: none
    };
    std::size_t least(bool heartbeats_count) const;

    std::vector<Path> paths_;
    std::uint64_t failures_ = 0;
    std::size_t in_a_row_ = 0;
};

}  // namespace bascule::sync
