// SPDX-License-Identifier: Apache-2.0
// Protobuf written by hand, as another release or an attacker might, without what protoc made.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace bascule::sync::test {

inline std::string varint(std::uint64_t value) {
    std::string out;
    for (; value > 0x7f; value >>= 7)
        out.push_back(static_cast<char>(value | 0x80));
    out.push_back(static_cast<char>(value));
    return out;
}

inline std::string number(std::uint32_t field, std::uint64_t value) {
    return varint(field << 3) + varint(value);
}

inline std::string little_endian(std::uint64_t value, std::size_t bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes; ++i)
        out.push_back(static_cast<char>(value >> (8 * i)));
    return out;
}

inline std::string fixed64(std::uint32_t field, std::uint64_t value) {
    return varint(field << 3 | 1) + little_endian(value, 8);
}

inline std::string nested(std::uint32_t field, std::string_view bytes) {
    return varint(field << 3 | 2) + varint(bytes.size()) + std::string(bytes);
}

// Packed.
inline std::string numbers(std::uint32_t field, std::initializer_list<std::uint64_t> values) {
    std::string out;
    for (const std::uint64_t value : values)
        out += varint(value);
    return nested(field, out);
}

inline std::string fixed(std::uint32_t field, std::size_t bytes,
                         std::initializer_list<std::uint64_t> values) {
    std::string out;
    for (const std::uint64_t value : values)
        out += little_endian(value, bytes);
    return nested(field, out);
}

inline std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace bascule::sync::test
