// SPDX-License-Identifier: Apache-2.0
#include "base/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace bascule {
namespace {

constexpr std::array<std::uint8_t, 12> v4_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// inet_pton wants a terminated string; anything longer than an address can be is none.
std::optional<std::array<char, INET6_ADDRSTRLEN>> terminated(std::string_view text) {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (text.size() >= buffer.size() || text.find('\0') != std::string_view::npos) return {};
    std::copy(text.begin(), text.end(), buffer.begin());
    return buffer;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
    const auto buffer = terminated(text);
    if (!buffer) return {};
    std::array<std::uint8_t, 4> four{};
    if (inet_pton(AF_INET, buffer->data(), four.data()) == 1) return v4(four);
    Bytes sixteen{};
    if (inet_pton(AF_INET6, buffer->data(), sixteen.data()) == 1) return Address(sixteen);
    return {};
}

Address Address::v4(const std::array<std::uint8_t, 4>& bytes) {
    Bytes mapped{};
    std::copy(v4_prefix.begin(), v4_prefix.end(), mapped.begin());
    std::copy(bytes.begin(), bytes.end(), mapped.begin() + v4_prefix.size());
    return Address(mapped);
}

Address Address::v4_from_wire(std::uint32_t be) {
    return v4(std::bit_cast<std::array<std::uint8_t, 4>>(be));
}

std::uint32_t Address::v4_wire() const {
    std::uint32_t be = 0;
    std::memcpy(&be, bytes_.data() + v4_prefix.size(), sizeof be);
    return be;
}

bool Address::is_v4() const {
    return std::equal(v4_prefix.begin(), v4_prefix.end(), bytes_.begin());
}

bool Address::is_unspecified() const {
    const auto first = is_v4() ? bytes_.begin() + v4_prefix.size() : bytes_.begin();
    return std::all_of(first, bytes_.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool Address::is_loopback() const {
    if (is_v4()) return bytes_[12] == 127;
    return bytes_[15] == 1 && std::all_of(bytes_.begin(), bytes_.begin() + 15,
                                          [](std::uint8_t byte) { return byte == 0; });
}

bool Address::is_multicast() const {
    if (!is_v4()) return bytes_[0] == 0xff;
    return (bytes_[12] & 0xf0) == 0xe0 || v4_wire() == 0xffffffff;
}

bool Address::is_link_local() const {
    if (is_v4()) return bytes_[12] == 169 && bytes_[13] == 254;
    return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

std::string Address::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    const bool four = is_v4();
    inet_ntop(four ? AF_INET : AF_INET6, bytes_.data() + (four ? v4_prefix.size() : 0),
              buffer.data(), buffer.size());
    return buffer.data();
}

std::optional<Mac> Mac::parse(std::string_view text) {
    Mac mac;
    if (text.size() != 3 * mac.bytes.size() - 1) return {};
    for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
        const int high = hex_digit(text[3 * i]);
        const int low = hex_digit(text[3 * i + 1]);
        if (high < 0 || low < 0) return {};
        if (i + 1 < mac.bytes.size() && text[3 * i + 2] != ':') return {};
        mac.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return mac;
}

Mac Mac::from_word(std::uint64_t word) {
    Mac mac;
    for (std::size_t i = 0; i < mac.bytes.size(); ++i)
        mac.bytes[i] = static_cast<std::uint8_t>(word >> (8 * i));
    return mac;
}

std::uint64_t Mac::to_word() const {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        word |= std::uint64_t{bytes[i]} << (8 * i);
    return word;
}

std::string Mac::to_string() const {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : bytes) {
        if (!text.empty()) text += ':';
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

}  // namespace bascule
