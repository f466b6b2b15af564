// SPDX-License-Identifier: Apache-2.0
#include "node/nd.h"

#include <algorithm>

namespace bascule::node {
namespace {

constexpr std::uint8_t next_header_icmp6 = 58;
constexpr std::uint8_t solicitation = 135;
constexpr std::uint8_t advertisement = 136;
constexpr std::uint8_t option_source_address = 1;
constexpr std::uint8_t option_target_address = 2;
constexpr std::uint8_t flag_override = 0x20;

// Offsets in the frame; the IPv6 header has no extension in what we make and accept.
constexpr std::size_t ethernet_size = 14;
constexpr std::size_t ip_at = ethernet_size;
constexpr std::size_t icmp_at = ip_at + 40;
constexpr std::size_t target_at = icmp_at + 8;
constexpr std::size_t options_at = icmp_at + 24;
constexpr std::size_t icmp_minimum = 24;

using Bytes = std::span<const std::uint8_t>;

std::uint16_t u16_at(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

Address address_at(Bytes bytes, std::size_t at) {
    Address::Bytes address;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), address.size(), address.begin());
    return Address(address);
}

Mac mac_at(Bytes bytes, std::size_t at) {
    Mac mac;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), mac.bytes.size(),
                mac.bytes.begin());
    return mac;
}

std::uint32_t sum(Bytes bytes, std::uint32_t start) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        start += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8 : bytes[i];
    }
    return start;
}

// Over the pseudo-header and `icmp` (RFC 8200, 8.1); 0 when the checksum inside is right.
std::uint16_t checksum(Bytes addresses, Bytes icmp) {
    std::uint32_t total = sum(addresses, next_header_icmp6);
    total = sum(icmp, total + static_cast<std::uint32_t>(icmp.size()));
    while (total >> 16 != 0)
        total = (total & 0xffff) + (total >> 16);
    return static_cast<std::uint16_t>(~total);
}

// A whole frame around `icmp`, with its checksum put in.
std::vector<std::uint8_t> make_frame(const Mac& destination, const Mac& source,
                                     const Address& source_ip, const Address& destination_ip,
                                     std::span<const std::uint8_t> icmp) {
    std::vector<std::uint8_t> frame;
    const auto append = [&](const auto& bytes) {
        frame.insert(frame.end(), bytes.begin(), bytes.end());
    };
    append(destination.bytes);
    append(source.bytes);
    append(std::array<std::uint8_t, 2>{0x86, 0xdd});
    append(std::array<std::uint8_t, 8>{0x60, 0, 0, 0, 0, static_cast<std::uint8_t>(icmp.size()),
                                       next_header_icmp6, 255});
    append(source_ip.bytes());
    append(destination_ip.bytes());
    append(icmp);
    const Bytes whole(frame);
    const std::uint16_t check = checksum(whole.subspan(ip_at + 8, 32), whole.subspan(icmp_at));
    frame[icmp_at + 2] = static_cast<std::uint8_t>(check >> 8);
    frame[icmp_at + 3] = static_cast<std::uint8_t>(check & 0xff);
    return frame;
}

std::vector<std::uint8_t> make_icmp(std::uint8_t type, std::uint8_t flags, const Address& target) {
    std::vector<std::uint8_t> icmp{type, 0, 0, 0, flags, 0, 0, 0};
    icmp.insert(icmp.end(), target.bytes().begin(), target.bytes().end());
    return icmp;
}

// ff02::1:ffXX:XXXX
Address solicited_node_group(const Address& target) {
    Address::Bytes group{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
    std::copy_n(target.bytes().begin() + 13, 3, group.begin() + 13);
    return Address(group);
}

// RFC 2464, 7
Mac group_mac(const Address& group) {
    Mac mac{{0x33, 0x33}};
    std::copy_n(group.bytes().begin() + 12, 4, mac.bytes.begin() + 2);
    return mac;
}

Address all_nodes_group() {
    return Address(Address::Bytes{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
}

// Walks the options; false: one is malformed, and the message with it (RFC 4861, 7.1).
bool read_options(Bytes options, std::uint8_t wanted, std::optional<Mac>& mac) {
    while (!options.empty()) {
        if (options.size() < 8) return false;
        const std::size_t size = std::size_t{options[1]} * 8;
        if (size == 0 || size > options.size()) return false;
        if (options[0] == wanted) mac = mac_at(options, 2);
        options = options.subspan(size);
    }
    return true;
}

}  // namespace

Mac solicited_node_mac(const Address& target) {
    return group_mac(solicited_node_group(target));
}

Mac all_nodes_mac() {
    return group_mac(all_nodes_group());
}

std::vector<std::uint8_t> make_nd_probe(const Mac& source, const Address& target) {
    const Address group = solicited_node_group(target);
    return make_frame(group_mac(group), source, Address(), group,
                      make_icmp(solicitation, 0, target));
}

std::vector<std::uint8_t> make_nd_announcement(const Mac& source, const Address& address) {
    auto icmp = make_icmp(advertisement, flag_override, address);
    icmp.insert(icmp.end(), {option_target_address, 1});
    icmp.insert(icmp.end(), source.bytes.begin(), source.bytes.end());
    return make_frame(all_nodes_mac(), source, address, all_nodes_group(), icmp);
}

std::optional<NeighbourMessage> parse_nd(Bytes frame) {
    if (frame.size() < icmp_at || u16_at(frame, 12) != 0x86dd || frame[ip_at] >> 4 != 6) {
        return std::nullopt;
    }
    const std::size_t payload = u16_at(frame, ip_at + 4);
    if (frame[ip_at + 6] != next_header_icmp6 || frame[ip_at + 7] != 255) return std::nullopt;
    if (payload < icmp_minimum || frame.size() - icmp_at < payload) return std::nullopt;
    const Bytes icmp = frame.subspan(icmp_at, payload);
    if (icmp[0] != solicitation && icmp[0] != advertisement) return std::nullopt;
    if (icmp[1] != 0 || checksum(frame.subspan(ip_at + 8, 32), icmp) != 0) return std::nullopt;

    NeighbourMessage message;
    message.source = mac_at(frame, 6);
    message.source_ip = address_at(frame, ip_at + 8);
    message.target = address_at(frame, target_at);
    message.advertisement = icmp[0] == advertisement;
    const auto wanted = message.advertisement ? option_target_address : option_source_address;
    const Bytes options = frame.subspan(options_at, payload - icmp_minimum);
    if (!read_options(options, wanted, message.option)) return std::nullopt;
    return message;
}

std::optional<Mac> nd_claim(const NeighbourMessage& message, const Address& address) {
    if (message.target != address) return std::nullopt;
    if (message.advertisement) return message.option.value_or(message.source);
    // Somebody else's probe; any other solicitation only looks for the address.
    if (message.source_ip.is_unspecified()) return message.source;
    return std::nullopt;
}

}  // namespace bascule::node
