// SPDX-License-Identifier: Apache-2.0
#include "health/icmp_message.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include <algorithm>

namespace bascule::health {

namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t icmp_header = 8;
constexpr std::size_t least_v4_header = 20;
constexpr std::size_t v6_header = 40;

std::uint16_t be16(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

// RFC 1071, of an even number of bytes.
std::uint16_t checksum(Bytes bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
        sum += be16(bytes, i);
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

// What follows the IPv4 header of `packet`, if it is whole and carries ICMP.
std::optional<Bytes> behind_v4(Bytes packet) {
    if (packet.size() < least_v4_header || packet[0] >> 4 != 4 || packet[9] != IPPROTO_ICMP)
        return std::nullopt;
    const std::size_t header = std::size_t{4} * (packet[0] & 0xf);
    if (header < least_v4_header || packet.size() < header) return std::nullopt;
    return packet.subspan(header);
}

// Our requests have no extension headers: IPv6 sockets add none unasked.
std::optional<Bytes> behind_v6(Bytes packet) {
    if (packet.size() < v6_header || packet[0] >> 4 != 6 || packet[6] != IPPROTO_ICMPV6)
        return std::nullopt;
    return packet.subspan(v6_header);
}

bool is_error(bool v4, std::uint8_t type) {
    if (v4) return type == ICMP_UNREACH || type == ICMP_TIMXCEED || type == ICMP_PARAMPROB;
    return type >= ICMP6_DST_UNREACH && type <= ICMP6_PARAM_PROB;
}

Address destination_of(bool v4, Bytes packet) {
    if (v4) return Address::v4({packet[16], packet[17], packet[18], packet[19]});
    Address::Bytes bytes{};
    std::copy_n(packet.begin() + 24, bytes.size(), bytes.begin());
    return Address(bytes);
}

std::optional<EchoAnswer> decode_error(bool v4, Bytes icmp) {
    const Bytes quoted = icmp.subspan(icmp_header);
    const auto request = v4 ? behind_v4(quoted) : behind_v6(quoted);
    if (!request || request->size() < icmp_header) return std::nullopt;
    if ((*request)[0] != (v4 ? std::uint8_t{ICMP_ECHO} : std::uint8_t{ICMP6_ECHO_REQUEST}))
        return std::nullopt;
    EchoAnswer answer;
    answer.is_error = true;
    answer.type = icmp[0];
    answer.code = icmp[1];
    answer.echo.id = be16(*request, 4);
    answer.echo.sequence = be16(*request, 6);
    answer.destination = destination_of(v4, quoted);
    return answer;
}

std::optional<EchoAnswer> decode_reply(Bytes icmp) {
    if (icmp.size() != icmp_header + Echo::token_size) return std::nullopt;
    EchoAnswer answer;
    answer.echo.id = be16(icmp, 4);
    answer.echo.sequence = be16(icmp, 6);
    std::copy_n(icmp.begin() + icmp_header, Echo::token_size, answer.echo.token.begin());
    return answer;
}

std::string unreachable_v4(std::uint8_t code) {
    switch (code) {
        case ICMP_UNREACH_NET:
        case ICMP_UNREACH_NET_UNKNOWN:
            return "network unreachable";
        case ICMP_UNREACH_HOST:
        case ICMP_UNREACH_HOST_UNKNOWN:
            return "host unreachable";
        case ICMP_UNREACH_PROTOCOL:
            return "protocol unreachable";
        case ICMP_UNREACH_PORT:
            return "port unreachable";
        case ICMP_UNREACH_NEEDFRAG:
            return "packet too big";
        case ICMP_UNREACH_NET_PROHIB:
        case ICMP_UNREACH_HOST_PROHIB:
        case ICMP_UNREACH_FILTER_PROHIB:
            return "administratively prohibited";
        default:
            return "unreachable, code " + std::to_string(code);
    }
}

std::string unreachable_v6(std::uint8_t code) {
    switch (code) {
        case ICMP6_DST_UNREACH_NOROUTE:
            return "no route";
        case ICMP6_DST_UNREACH_ADMIN:
            return "administratively prohibited";
        case ICMP6_DST_UNREACH_ADDR:
            return "host unreachable";
        case ICMP6_DST_UNREACH_NOPORT:
            return "port unreachable";
        default:
            return "unreachable, code " + std::to_string(code);
    }
}

}  // namespace

std::vector<std::uint8_t> encode_echo(bool v4, const Echo& echo) {
    std::vector<std::uint8_t> packet(icmp_header + Echo::token_size);
    const auto put16 = [&](std::size_t at, std::uint16_t value) {
        packet[at] = static_cast<std::uint8_t>(value >> 8);
        packet[at + 1] = static_cast<std::uint8_t>(value);
    };
    packet[0] = v4 ? std::uint8_t{ICMP_ECHO} : std::uint8_t{ICMP6_ECHO_REQUEST};
    put16(4, echo.id);
    put16(6, echo.sequence);
    std::copy(echo.token.begin(), echo.token.end(), packet.begin() + icmp_header);
    if (v4) put16(2, checksum(packet));
    return packet;
}

std::optional<EchoAnswer> decode_echo_answer(bool v4, Bytes packet) {
    const auto icmp = v4 ? behind_v4(packet) : std::optional(packet);
    if (!icmp || icmp->size() < icmp_header) return std::nullopt;
    const std::uint8_t type = (*icmp)[0];
    if (type == (v4 ? std::uint8_t{ICMP_ECHOREPLY} : std::uint8_t{ICMP6_ECHO_REPLY}))
        return decode_reply(*icmp);
    return is_error(v4, type) ? decode_error(v4, *icmp) : std::nullopt;
}

std::string icmp_words(bool v4, std::uint8_t type, std::uint8_t code) {
    if (type == (v4 ? std::uint8_t{ICMP_UNREACH} : std::uint8_t{ICMP6_DST_UNREACH}))
        return v4 ? unreachable_v4(code) : unreachable_v6(code);
    if (!v4 && type == ICMP6_PACKET_TOO_BIG) return "packet too big";
    if (type == (v4 ? std::uint8_t{ICMP_TIMXCEED} : std::uint8_t{ICMP6_TIME_EXCEEDED}))
        return "time exceeded on the way";
    return "ICMP type " + std::to_string(type) + ", code " + std::to_string(code);
}

}  // namespace bascule::health
