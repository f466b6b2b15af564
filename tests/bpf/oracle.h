// SPDX-License-Identifier: Apache-2.0
// Is what became of a packet allowed at all? For packets of any bytes, whose fate nobody wrote
// down: what leaves must be what expected.h makes of it, must go to the backend of the service that
// it was for, every drop must have one reason, and what is not for a VIP goes to Linux untouched.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "engine.h"
#include "fuzz_tables.h"

namespace bascule::test {

// Reasons of drops by name, with how often each was counted for the packet.
using Drops = std::map<std::string, std::uint64_t>;

class Oracle {
public:
    explicit Oracle(const FuzzTables& tables) : tables_(tables) {}

    // What is wrong; none: nothing is.
    std::optional<std::string> judge(const Bytes& in, const Outcome& outcome,
                                     const Drops& drops) const;

private:
    bool is_for_vip(const Bytes& in) const;
    std::optional<std::string> judge_sent(const Bytes& in, const Outcome& outcome) const;
    std::optional<std::string> judge_answer(const Bytes& in, const Bytes& out,
                                            const std::string& reason) const;
    std::optional<std::string> judge_local(const Bytes& in, const Bytes& out) const;
    const FuzzService* owner_of(const Bytes& ip, bool& is_later) const;

    const FuzzTables& tables_;
};

}  // namespace bascule::test
