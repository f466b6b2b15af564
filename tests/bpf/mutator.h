// SPDX-License-Identifier: Apache-2.0
// Frames for packet_fuzz: those of the conformance tests and of every service of the tables, with
// damage done to them. The same seed gives the same frames.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "fuzz_tables.h"

namespace bascule::test {

class Mutator {
public:
    Mutator(const FuzzTables& tables, std::uint64_t seed);

    Bytes next();
    std::size_t seeds() const { return seeds_.size(); }

private:
    void add_service(const Served& served);
    void add_packets_of(const Served& served, std::uint16_t port);

    std::uint32_t below(std::uint32_t limit);
    const Bytes& any_seed();
    void damage(Bytes& frame);
    void damage_bytes(Bytes& frame);
    void damage_header(Bytes& frame);
    void damage_length(Bytes& frame);
    void splice(Bytes& frame);
    void aim(Bytes& frame);
    void mend(Bytes& frame);

    const FuzzTables& tables_;
    std::vector<Bytes> seeds_;
    std::mt19937_64 random_;
};

}  // namespace bascule::test
