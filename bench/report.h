// SPDX-License-Identifier: Apache-2.0
// What packet_bench found: as a table, as JSON, as the price of each step, and held against what is
// promised.
#pragma once

#include <ostream>
#include <vector>

#include "bench/cases.h"

namespace bascule::bench {

// Nanoseconds a packet; all but `bare` are net of it.
struct Figure {
    Case measured;
    int bare = 0;          // a drop behind the wrapper
    int minimal_tx = 0;    // MAC addresses swapped
    int memory = 0;        // the same after one read in a table of this size
    int outer_header = 0;  // the same after an outer header was put on; 0: not measured
    int program = 0;
};

struct Promise {
    std::string what;
    double is = 0;
    double at_most = 0;
    bool holds(double slack) const { return is <= at_most * slack; }
};

// Bytes of session table that a session takes when the table holds what it is made for.
std::uint64_t table_bytes(const test::Family& family);

// What is promised, with what was measured: of tunnels, of many flows, and that no program is out
// of proportion to the references of its own run.
std::vector<Promise> promises(const std::vector<Figure>& figures, std::uint32_t many);

void print_table(const std::vector<Figure>& figures, std::ostream& out);
void print_steps(const std::vector<Figure>& figures, std::uint32_t flows, std::ostream& out);
void print_promises(const std::vector<Promise>& promises, double slack, std::ostream& out);
void print_json(const std::vector<Figure>& figures, const std::vector<Promise>& promises,
                std::ostream& out);

}  // namespace bascule::bench
