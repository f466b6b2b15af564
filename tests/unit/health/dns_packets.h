// SPDX-License-Identifier: Apache-2.0
// DNS messages made by hand, by nothing of what is tested.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bascule::health {

inline std::string be16(unsigned value) {
    return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}

// "www.example" as labels, with the root.
inline std::string labels(std::string_view name) {
    std::string out;
    while (!name.empty()) {
        const auto end = std::min(name.find('.'), name.size());
        out += static_cast<char>(end);
        out += name.substr(0, end);
        name.remove_prefix(std::min(end + 1, name.size()));
    }
    return out + '\0';
}

inline std::string pointer(unsigned offset) {
    return be16(0xc000 | offset);
}

struct DnsMessage {
    unsigned id = 0x1234;
    unsigned flags = 0x8180;  // an answer, recursion asked for and available
    unsigned questions = 1;
    unsigned answers = 0;
    std::string body;

    std::string bytes() const {
        return be16(id) + be16(flags) + be16(questions) + be16(answers) + be16(0) + be16(0) + body;
    }
    DnsMessage& question(std::string_view name, unsigned type) {
        body += labels(name) + be16(type) + be16(1);
        return *this;
    }
    // `name` as it stands on the wire.
    DnsMessage& record(const std::string& name, unsigned type, const std::string& data,
                       unsigned its_class = 1) {
        ++answers;
        body += name + be16(type) + be16(its_class) + be16(0) + be16(60) +
                be16(static_cast<unsigned>(data.size())) + data;
        return *this;
    }
};

// The question's name starts here in every message.
inline constexpr unsigned at_question = 12;

// What a server would start from: id and question of a query.
inline DnsMessage answer_to(const std::string& query) {
    DnsMessage message;
    message.id = static_cast<unsigned>(static_cast<unsigned char>(query[0])) << 8 |
                 static_cast<unsigned char>(query[1]);
    message.body = query.substr(at_question);
    return message;
}

}  // namespace bascule::health
