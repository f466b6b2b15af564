// SPDX-License-Identifier: Apache-2.0
#include "health/dns_message.h"

#include <algorithm>
#include <array>

#include "base/address.h"
#include "health/dns_reader.h"

namespace bascule::health::dns {

namespace {

struct Named {
    std::string_view name;
    std::uint16_t number;
};

constexpr std::array<Named, 9> types{{{"A", A},
                                      {"NS", NS},
                                      {"CNAME", CNAME},
                                      {"SOA", SOA},
                                      {"PTR", PTR},
                                      {"MX", MX},
                                      {"TXT", TXT},
                                      {"AAAA", AAAA},
                                      {"SRV", SRV}}};
constexpr std::array<Named, 11> rcodes{{{"NOERROR", 0},
                                        {"FORMERR", 1},
                                        {"SERVFAIL", 2},
                                        {"NXDOMAIN", 3},
                                        {"NOTIMP", 4},
                                        {"REFUSED", 5},
                                        {"YXDOMAIN", 6},
                                        {"YXRRSET", 7},
                                        {"NXRRSET", 8},
                                        {"NOTAUTH", 9},
                                        {"NOTZONE", 10}}};

constexpr std::uint16_t class_in = 1;
constexpr std::uint16_t recursion_desired = 0x0100;
constexpr std::uint16_t is_answer = 0x8000;
constexpr std::uint16_t opcode_bits = 0x7800;
constexpr std::uint16_t truncated_bit = 0x0200;
constexpr std::uint16_t rcode_bits = 0x000f;
constexpr std::size_t most_name = 255;  // bytes on the wire, RFC 1035, section 2.3.4
constexpr std::size_t most_label = 63;

void put16(std::string& out, std::uint16_t value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value & 0xff);
}

std::string_view without_dot(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    return name;
}

std::string lower(std::string_view name) {
    std::string out(name);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

Result<std::string> encode_name(std::string_view name) {
    std::string out;
    for (std::string_view rest = without_dot(name); !rest.empty();) {
        const auto end = std::min(rest.find('.'), rest.size());
        if (end == 0 || end > most_label || end + 1 == rest.size())
            return failure("is no domain name");
        out += static_cast<char>(end);
        out += rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    out += '\0';
    if (name.empty() || out.size() > most_name) return failure("is no domain name");
    return out;
}

// The data of a record of this type as text; nullopt: it is broken.
std::optional<std::string> text_of(Reader& data, std::uint16_t type) {
    switch (type) {
        case A:
        case AAAA:
            return data.address(type == A ? 4 : 16);
        case TXT:
            return data.strings();
        case MX:
            data.skip(2);  // preference
            return data.name();
        case SRV:
            data.skip(6);  // priority, weight, port
            return data.name();
        default:
            return data.name();
    }
}

// One record of the answer section. False: it is broken.
bool read_record(Reader& reader, std::uint16_t type, Answer& answer) {
    reader.name();  // whose it is: an alias leads from the question's name to it, or so
    const auto its_type = reader.u16();
    const auto its_class = reader.u16();
    reader.skip(4);  // time to live
    const auto size = reader.u16();
    Reader data = reader.part(size.value_or(0));
    if (reader.broken()) return false;
    if (its_type != type || its_class != class_in) return true;
    auto text = text_of(data, type);
    if (!text || data.broken()) return false;
    answer.records.push_back(std::move(*text));
    return true;
}

}  // namespace

std::optional<std::uint16_t> type_number(std::string_view name) {
    for (const auto& type : types)
        if (type.name == name) return type.number;
    return std::nullopt;
}

std::optional<std::uint8_t> rcode_number(std::string_view name) {
    for (const auto& rcode : rcodes)
        if (rcode.name == name) return static_cast<std::uint8_t>(rcode.number);
    return std::nullopt;
}

std::string rcode_name(std::uint8_t number) {
    for (const auto& rcode : rcodes)
        if (rcode.number == number) return std::string(rcode.name);
    return "rcode " + std::to_string(number);
}

Result<std::string> encode(const Question& question) {
    auto name = encode_name(question.name);
    if (!name) return failure(std::move(name).error());
    std::string out;
    put16(out, question.id);
    put16(out, recursion_desired);
    put16(out, 1);        // questions
    out.append(6, '\0');  // nothing in the other sections
    out += *name;
    put16(out, question.type);
    put16(out, class_in);
    return out;
}

bool has_id(std::string_view message, std::uint16_t id) {
    return Reader(message).u16() == id;
}

Result<Answer> decode(std::string_view message, const Question& question) {
    Reader reader(message);
    reader.skip(2);  // id
    const auto flags = reader.u16();
    const auto questions = reader.u16();
    const auto answers = reader.u16();
    reader.skip(4);  // what is in the other sections is not read
    if (reader.broken())
        return failure("an answer of " + std::to_string(message.size()) + " bytes");
    if ((*flags & is_answer) == 0) return failure("a question came back, not an answer");
    if ((*flags & opcode_bits) != 0) return failure("an answer to no query");
    Answer answer;
    answer.rcode = static_cast<std::uint8_t>(*flags & rcode_bits);
    answer.truncated = (*flags & truncated_bit) != 0;
    // Who refuses need not repeat what was asked.
    if (questions == 0 && answer.rcode != 0) return answer;
    if (questions != 1)
        return failure("an answer with " + std::to_string(*questions) + " questions");
    const auto name = reader.name();
    const auto type = reader.u16();
    const auto its_class = reader.u16();
    if (reader.broken()) return failure("a broken question in the answer");
    if (name != lower(without_dot(question.name)) || type != question.type || its_class != class_in)
        return failure("an answer to another question");
    for (int i = 0; i < *answers; ++i) {
        if (!read_record(reader, question.type, answer)) {
            if (answer.truncated) break;  // cut off in the middle
            return failure("broken record " + std::to_string(i + 1) + " in the answer");
        }
        if (answer.records.size() > Answer::most_records)
            return failure("an answer of more than " + std::to_string(Answer::most_records) +
                           " records");
    }
    return answer;
}

bool matches(std::string_view record, std::uint16_t type, std::string_view expected) {
    if (type == TXT) return record == expected;
    if (type == A || type == AAAA) {
        const auto wanted = Address::parse(expected);
        return wanted && Address::parse(record) == wanted;
    }
    return record == lower(without_dot(expected));
}

}  // namespace bascule::health::dns
