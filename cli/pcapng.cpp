// SPDX-License-Identifier: Apache-2.0
#include "cli/pcapng.h"

#include <utility>

namespace bascule::cli {

namespace {

// Block types (section 11.1).
constexpr std::uint32_t interface_description = 1, interface_statistics = 5, enhanced_packet = 6,
                        section_header = 0x0a0d0d0a;
constexpr std::uint32_t byte_order_magic = 0x1a2b3c4d;
constexpr std::uint64_t length_unknown = ~std::uint64_t{0};
constexpr std::uint16_t linktype_ethernet = 1;

// Option codes (sections 3.5, 4.1 to 4.6).
constexpr std::uint16_t end_of_options = 0, opt_comment = 1, shb_userappl = 4, if_name = 2,
                        if_tsresol = 9, epb_flags = 2, isb_osdrop = 7;
constexpr std::uint32_t inbound = 1, outbound = 2;
constexpr std::uint8_t nanoseconds = 9;  // 10^-9 s

constexpr std::size_t longest_option = 65535;

// Numbers are in the writer's byte order, which the magic tells: little endian here.
template <typename T>
void put(std::string& into, T value) {
    for (std::size_t i = 0; i < sizeof(T); i++)
        into += static_cast<char>(value >> 8 * i & 0xff);
}

void pad(std::string& into) {
    into.resize((into.size() + 3) / 4 * 4);
}

void put_option(std::string& into, std::uint16_t code, std::string_view value) {
    value = value.substr(0, longest_option);
    put(into, code);
    put(into, static_cast<std::uint16_t>(value.size()));
    into += value;
    pad(into);
}

template <typename T>
void put_number_option(std::string& into, std::uint16_t code, T value) {
    std::string bytes;
    put(bytes, value);
    put_option(into, code, bytes);
}

void end_options(std::string& into) {
    put(into, end_of_options);
    put(into, std::uint16_t{0});
}

// The high half comes first (section 4.3).
void put_timestamp(std::string& into, std::int64_t unix_nanoseconds) {
    const auto value = static_cast<std::uint64_t>(unix_nanoseconds);
    put(into, static_cast<std::uint32_t>(value >> 32));
    put(into, static_cast<std::uint32_t>(value));
}

std::string block(std::uint32_t type, const std::string& body) {
    std::string bytes;
    const auto length = static_cast<std::uint32_t>(body.size() + 12);
    put(bytes, type);
    put(bytes, length);
    bytes += body;
    put(bytes, length);
    return bytes;
}

}  // namespace

std::string Pcapng::header() const {
    std::string body;
    put(body, byte_order_magic);
    put(body, std::uint16_t{1});
    put(body, std::uint16_t{0});
    put(body, length_unknown);
    put_option(body, shb_userappl, application_);
    end_options(body);
    return block(section_header, body);
}

std::string Pcapng::interface_block(const std::string& name) const {
    std::string body;
    put(body, linktype_ethernet);
    put(body, std::uint16_t{0});
    put(body, snap_bytes_);
    put_option(body, if_name, name);
    put_number_option(body, if_tsresol, nanoseconds);
    end_options(body);
    return block(interface_description, body);
}

std::string Pcapng::packet(const PcapngPacket& packet) {
    std::string bytes;
    const auto [interface, is_new] =
        interfaces_.try_emplace(packet.interface, static_cast<std::uint32_t>(interfaces_.size()));
    if (is_new) bytes = interface_block(packet.interface);

    std::string body;
    put(body, interface->second);
    put_timestamp(body, packet.unix_nanoseconds);
    put(body, static_cast<std::uint32_t>(packet.frame.size()));
    put(body, packet.frame_bytes);
    body += packet.frame;
    pad(body);
    put_number_option(body, epb_flags, packet.outbound ? outbound : inbound);
    if (!packet.comment.empty()) put_option(body, opt_comment, packet.comment);
    end_options(body);
    return bytes + block(enhanced_packet, body);
}

std::string Pcapng::statistics(std::int64_t unix_nanoseconds, std::uint64_t lost) const {
    if (interfaces_.empty()) return {};
    std::string body;
    put(body, std::uint32_t{0});
    put_timestamp(body, unix_nanoseconds);
    put_number_option(body, isb_osdrop, lost);
    end_options(body);
    return block(interface_statistics, body);
}

}  // namespace bascule::cli
