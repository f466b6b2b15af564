// SPDX-License-Identifier: Apache-2.0
// DNS messages (RFC 1035) as a probe needs them: one question out, its answer in.
//
// Pure. Nothing of an answer is believed: every length is checked, pointers of compressed names
// lead backwards only, and so many records are kept and no more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace bascule::health::dns {

enum Type : std::uint16_t {
    A = 1,
    NS = 2,
    CNAME = 5,
    SOA = 6,
    PTR = 12,
    MX = 15,
    TXT = 16,
    AAAA = 28,
    SRV = 33,
};

// As they are written in a configuration; nullopt: none that is known.
std::optional<std::uint16_t> type_number(std::string_view name);
std::optional<std::uint8_t> rcode_number(std::string_view name);
std::string rcode_name(std::uint8_t rcode);  // "SERVFAIL"; "rcode 14"

struct Question {
    std::uint16_t id = 0;
    std::string name;  // with or without its last dot; "." is the root
    std::uint16_t type = A;
};

// Asks for recursion: resolvers want it, other servers do not mind. Error: the name is none.
Result<std::string> encode(const Question& question);

struct Answer {
    static constexpr std::size_t most_records = 1000;

    std::uint8_t rcode = 0;
    bool truncated = false;  // there is more over TCP
    // Of the type that was asked for: an address, the domain name that it leads to (in lower case,
    // without its last dot), or the text of TXT. Of SOA the server's name.
    std::vector<std::string> records;
};

// Whether a message that came is about a question with this id; those that are not may be anyone's.
bool has_id(std::string_view message, std::uint16_t id);

// Error: what is wrong with it. `message` has the question's id.
Result<Answer> decode(std::string_view message, const Question& question);

// Whether a record of the type is what a configuration expects: addresses and names are compared as
// such, texts byte by byte.
bool matches(std::string_view record, std::uint16_t type, std::string_view expected);

}  // namespace bascule::health::dns
