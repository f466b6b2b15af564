// SPDX-License-Identifier: Apache-2.0
#include "cli/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "base/address.h"

namespace bascule::cli {

namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr int most_tags = 2;
constexpr int most_extensions = 6;
constexpr int most_nested = 3;  // IP in a tunnel in ...

constexpr std::uint8_t icmp = 1, ipv4_inside = 4, tcp = 6, udp = 17, ipv6_inside = 41,
                       fragment_header = 44, icmp6 = 58;

std::uint16_t u16(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

std::uint32_t u32(Bytes bytes, std::size_t at) {
    return std::uint32_t{u16(bytes, at)} << 16 | u16(bytes, at + 2);
}

Bytes from(Bytes bytes, std::size_t at) {
    return bytes.subspan(std::min(at, bytes.size()));
}

std::string mac_text(Bytes bytes, std::size_t at) {
    Mac mac;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), mac.bytes.size(),
                mac.bytes.begin());
    return mac.to_string();
}

Address v4_at(Bytes bytes, std::size_t at) {
    return Address::v4({bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]});
}

Address v6_at(Bytes bytes, std::size_t at) {
    Address::Bytes all{};
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), all.size(), all.begin());
    return Address(all);
}

std::string with_port(const Address& address, std::uint16_t port) {
    return fmt::format(fmt::runtime(address.is_v4() ? "{}:{}" : "[{}]:{}"), address.to_string(),
                       port);
}

std::string protocol_name(std::uint8_t protocol) {
    switch (protocol) {
        case icmp:
            return "icmp";
        case ipv4_inside:
        case ipv6_inside:
            return "ipip";
        case tcp:
            return "tcp";
        case udp:
            return "udp";
        case icmp6:
            return "icmp6";
        default:
            return fmt::format("protocol {}", protocol);
    }
}

std::string tcp_flags(std::uint8_t flags) {
    constexpr std::array<const char*, 8> names = {"fin", "syn", "rst", "psh",
                                                  "ack", "urg", "ece", "cwr"};
    constexpr std::array<std::size_t, 8> order = {1, 0, 2, 3, 4, 5, 6, 7};
    std::string text;
    for (const std::size_t i : order) {
        if ((flags >> i & 1) == 0) continue;
        if (!text.empty()) text += '+';
        text += names[i];
    }
    return text.empty() ? "no flags" : text;
}

// The maximum segment size of a SYN's options.
std::optional<std::uint16_t> mss_in(Bytes options) {
    for (std::size_t at = 0; at < options.size();) {
        const std::uint8_t kind = options[at];
        if (kind == 0) return std::nullopt;
        if (kind == 1) {
            at++;
            continue;
        }
        if (at + 1 >= options.size() || options[at + 1] < 2) return std::nullopt;
        if (kind == 2 && options[at + 1] == 4 && at + 4 <= options.size())
            return u16(options, at + 2);
        at += options[at + 1];
    }
    return std::nullopt;
}

std::string icmp_error(bool v6, std::uint8_t type, std::uint8_t code) {
    if (v6) {
        if (type == 1) return code == 4 ? "port unreachable" : "destination unreachable";
        if (type == 2) return "packet too big";
        if (type == 3) return "time exceeded";
        if (type == 4) return "parameter problem";
        return {};
    }
    if (type == 3 && code == 3) return "port unreachable";
    if (type == 3 && code == 4) return "fragmentation needed";
    if (type == 3) return "destination unreachable";
    if (type == 11) return "time exceeded";
    if (type == 12) return "parameter problem";
    return {};
}

class Decoder {
public:
    explicit Decoder(bool encapsulated) : encapsulated_(encapsulated) {}

    Decoded decode(Bytes frame) {
        ethernet(frame);
        return std::move(decoded_);
    }

private:
    void add(std::string name, std::string text) {
        decoded_.layers.push_back({std::move(name), std::move(text)});
    }
    void say(const std::string& words) {
        if (!decoded_.line.empty()) decoded_.line += ": ";
        decoded_.line += words;
    }
    void cut(const char* what) {
        add(what, "cut short");
        say(fmt::format("{} cut short", what));
    }

    void ethernet(Bytes frame);
    void ip(Bytes packet, int depth);
    void ipv4(Bytes packet, int depth);
    void ipv6(Bytes packet, int depth);
    void content(Bytes bytes, std::uint8_t protocol, const Address& source,
                 const Address& destination, std::size_t length, int depth);
    void later_fragment(std::uint8_t protocol, const Address& source, const Address& destination,
                        std::size_t offset);
    void tcp_header(Bytes bytes, const Address& source, const Address& destination,
                    std::size_t length);
    void udp_header(Bytes bytes, const Address& source, const Address& destination, int depth);
    void icmp_header(Bytes bytes, bool v6, const Address& source, const Address& destination,
                     int depth);

    bool encapsulated_;
    bool quoted_ = false;  // amid what an ICMP error quotes: cut by right
    Decoded decoded_;
};

void Decoder::ethernet(Bytes frame) {
    if (frame.size() < 14) return cut("ethernet");
    std::string text = fmt::format("{} > {}", mac_text(frame, 6), mac_text(frame, 0));
    std::size_t at = 12;
    for (int i = 0; i < most_tags && (u16(frame, at) == 0x8100 || u16(frame, at) == 0x88a8); i++) {
        if (frame.size() < at + 6) return cut("ethernet");
        text += fmt::format(", vlan {}", u16(frame, at + 2) & 0xfff);
        at += 4;
    }
    const std::uint16_t ethertype = u16(frame, at);
    const bool is_ip = ethertype == 0x0800 || ethertype == 0x86dd;
    if (!is_ip) text += fmt::format(", ethertype {:#06x}", ethertype);
    add("ethernet", text);
    if (is_ip)
        ip(from(frame, at + 2), 0);
    else
        say(fmt::format("ethertype {:#06x}, {} bytes", ethertype, frame.size()));
}

void Decoder::ip(Bytes packet, int depth) {
    if (packet.empty()) return cut("ip");
    if (packet[0] >> 4 == 6) return ipv6(packet, depth);
    ipv4(packet, depth);
}

void Decoder::ipv4(Bytes packet, int depth) {
    if (packet.size() < 20) return cut("ipv4");
    const std::size_t header = std::size_t{packet[0] & 15U} * 4;
    const std::size_t total = u16(packet, 2);
    const std::uint16_t word = u16(packet, 6);
    const Address source = v4_at(packet, 12), destination = v4_at(packet, 16);
    std::string text =
        fmt::format("{} > {}, {}, ttl {}, {} bytes", source.to_string(), destination.to_string(),
                    protocol_name(packet[9]), packet[8], total);
    if ((word & 0x4000) != 0) text += ", df";
    if ((word & 0x3fff) != 0)
        text += fmt::format(", fragment at {}{}", (word & 0x1fff) * 8,
                            (word & 0x2000) != 0 ? ", more follow" : "");
    if (packet[1] >> 2 != 0) text += fmt::format(", dscp {}", packet[1] >> 2);
    add("ipv4", text);
    if (packet[0] >> 4 != 4 || header < 20 || total < header)
        return say(
            fmt::format("{} > {} broken ipv4 header", source.to_string(), destination.to_string()));
    if (!quoted_) packet = packet.first(std::min(packet.size(), total));
    if ((word & 0x1fff) != 0)
        return later_fragment(packet[9], source, destination, std::size_t{word & 0x1fffU} * 8);
    content(from(packet, header), packet[9], source, destination, total - header, depth);
}

void Decoder::ipv6(Bytes packet, int depth) {
    if (packet.size() < 40) return cut("ipv6");
    const std::size_t payload = u16(packet, 4);
    const Address source = v6_at(packet, 8), destination = v6_at(packet, 24);
    std::uint8_t protocol = packet[6];
    std::size_t at = 40;
    std::size_t fragment_at = 0;
    for (int i = 0; i < most_extensions; i++) {
        const bool is_fragment = protocol == fragment_header;
        if (protocol != 0 && protocol != 43 && protocol != 60 && !is_fragment) break;
        if (packet.size() < at + 8) return cut("ipv6");
        if (is_fragment) fragment_at = u16(packet, at + 2) & 0xfff8U;
        protocol = packet[at];
        at += is_fragment ? 8 : (packet[at + 1] + std::size_t{1}) * 8;
    }
    std::string text =
        fmt::format("{} > {}, {}, hop limit {}, {} bytes", source.to_string(),
                    destination.to_string(), protocol_name(protocol), packet[7], payload + 40);
    if (const std::uint32_t dscp = (u32(packet, 0) >> 22) & 0x3f; dscp != 0)
        text += fmt::format(", dscp {}", dscp);
    add("ipv6", text);
    if (fragment_at != 0) return later_fragment(protocol, source, destination, fragment_at);
    if (!quoted_) packet = packet.first(std::min(packet.size(), payload + 40));
    if (payload + 40 < at) return cut("ipv6");
    content(from(packet, at), protocol, source, destination, payload + 40 - at, depth);
}

void Decoder::later_fragment(std::uint8_t protocol, const Address& source,
                             const Address& destination, std::size_t offset) {
    say(fmt::format("{} > {} {} fragment at {}", source.to_string(), destination.to_string(),
                    protocol_name(protocol), offset));
}

void Decoder::content(Bytes bytes, std::uint8_t protocol, const Address& source,
                      const Address& destination, std::size_t length, int depth) {
    const bool tunnel = protocol == ipv4_inside || protocol == ipv6_inside;
    if (tunnel && depth < most_nested) {
        say(fmt::format("ipip {} > {}", source.to_string(), destination.to_string()));
        return ip(bytes, depth + 1);
    }
    if (protocol == tcp) return tcp_header(bytes, source, destination, length);
    if (protocol == udp) return udp_header(bytes, source, destination, depth);
    if (protocol == icmp || protocol == icmp6)
        return icmp_header(bytes, protocol == icmp6, source, destination, depth);
    say(fmt::format("{} > {} {}, {} bytes", source.to_string(), destination.to_string(),
                    protocol_name(protocol), length));
}

void Decoder::tcp_header(Bytes bytes, const Address& source, const Address& destination,
                         std::size_t length) {
    // Of a quoted one only the ports and the sequence number need be there (RFC 792).
    if (bytes.size() < (quoted_ ? 8U : 20U)) return cut("tcp");
    const std::uint16_t source_port = u16(bytes, 0), destination_port = u16(bytes, 2);
    std::string ends =
        with_port(source, source_port) + " > " + with_port(destination, destination_port);
    if (bytes.size() < 20) {
        add("tcp", fmt::format("{} > {}", source_port, destination_port));
        return say(ends + " tcp");
    }
    const std::size_t header = std::size_t{bytes[12]} / 16 * 4;
    const std::string flags = tcp_flags(bytes[13]);
    const std::size_t payload = length > header ? length - header : 0;
    std::string text =
        fmt::format("{} > {}, {}, seq {}", source_port, destination_port, flags, u32(bytes, 4));
    if ((bytes[13] & 16) != 0) text += fmt::format(", ack {}", u32(bytes, 8));
    if (header >= 20 && header <= bytes.size())
        if (const auto mss = mss_in(bytes.subspan(20, header - 20)); mss)
            text += fmt::format(", mss {}", *mss);
    add("tcp", fmt::format("{}, {} bytes", text, payload));
    say(fmt::format("{} tcp {}, {} bytes", ends, flags, payload));
}

void Decoder::udp_header(Bytes bytes, const Address& source, const Address& destination,
                         int depth) {
    if (bytes.size() < 8) return cut("udp");
    const std::uint16_t source_port = u16(bytes, 0), destination_port = u16(bytes, 2);
    const std::size_t length = u16(bytes, 4);
    const std::size_t payload = length > 8 ? length - 8 : 0;
    const bool gue = encapsulated_ && !quoted_ && depth == 0 && bytes.size() > 8 &&
                     (bytes[8] >> 4 == 4 || bytes[8] >> 4 == 6);
    add("udp", fmt::format("{} > {}{}, {} bytes{}", source_port, destination_port,
                           gue ? ", gue" : "", payload, u16(bytes, 6) == 0 ? ", no checksum" : ""));
    const std::string ends =
        with_port(source, source_port) + " > " + with_port(destination, destination_port);
    if (!gue) return say(fmt::format("{} udp, {} bytes", ends, payload));
    say("gue " + ends);
    ip(from(bytes, 8), depth + 1);
}

void Decoder::icmp_header(Bytes bytes, bool v6, const Address& source, const Address& destination,
                          int depth) {
    const char* name = v6 ? "icmp6" : "icmp";
    if (bytes.size() < 8) return cut(name);
    const std::string error = icmp_error(v6, bytes[0], bytes[1]);
    std::string text = error;
    if (error.empty()) text = fmt::format("type {} code {}", bytes[0], bytes[1]);
    if (!v6 && bytes[0] == 3 && bytes[1] == 4) text += fmt::format(", mtu {}", u16(bytes, 6));
    if (v6 && bytes[0] == 2) text += fmt::format(", mtu {}", u32(bytes, 4));
    add(name, text);
    say(fmt::format("{} > {} {} {}", source.to_string(), destination.to_string(), name, text));
    if (error.empty() || quoted_ || depth >= most_nested) return;
    quoted_ = true;
    ip(from(bytes, 8), depth + 1);
    quoted_ = false;
}

}  // namespace

Decoded decode(std::span<const std::uint8_t> frame, bool encapsulated) {
    return Decoder(encapsulated).decode(frame);
}

}  // namespace bascule::cli
