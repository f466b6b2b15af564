// SPDX-License-Identifier: Apache-2.0
// Any bytes as a DNS answer: records or an error, never both, never a crash, and no more of it than
// is promised. The first byte picks what was asked for.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "health/dns_message.h"

namespace dns = bascule::health::dns;

namespace {

constexpr std::array<const char*, 9> types{"A",  "NS",  "CNAME", "SOA", "PTR",
                                           "MX", "TXT", "AAAA",  "SRV"};
constexpr std::size_t most_name = std::size_t{4} * 255;  // each byte escaped

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view message(reinterpret_cast<const char*>(data + 1), size - 1);
    dns::Question question;
    question.name = "www.example";
    question.type = dns::type_number(types.at(data[0] % types.size())).value();
    if (message.size() >= 2) question.id = static_cast<std::uint16_t>(data[1] << 8 | data[2]);
    if (message.size() >= 2 && !dns::has_id(message, question.id)) std::abort();

    const auto answer = dns::decode(message, question);
    if (!answer) {
        if (answer.error().text().empty() || answer.error().text().size() > 150) std::abort();
        return 0;
    }
    if (answer->records.size() > dns::Answer::most_records || answer->rcode > 15) std::abort();
    for (const auto& record : answer->records) {
        if (question.type != dns::TXT && record.size() > most_name) std::abort();
        if (question.type == dns::TXT && record.size() > message.size()) std::abort();
        // What an answer says must be something that could be expected; escapes cannot be written.
        if (record.find('\\') != record.npos && question.type != dns::TXT) continue;
        if (!dns::matches(record, question.type, record)) std::abort();
    }
    return 0;
}
