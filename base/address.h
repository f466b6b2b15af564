// SPDX-License-Identifier: Apache-2.0
// IP and MAC addresses whose byte order is in the type: always bytes as on the wire.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bascule {

// An IPv4 or IPv6 address. IPv4 is kept v4-mapped (::ffff:a.b.c.d), as the tables of the data plane
// have it; a v4-mapped text is therefore read as the IPv4 address.
class Address {
public:
    using Bytes = std::array<std::uint8_t, 16>;  // network order

    Address() = default;  // "::"
    explicit Address(const Bytes& bytes) : bytes_(bytes) {}

    static std::optional<Address> parse(std::string_view text);
    static Address v4(const std::array<std::uint8_t, 4>& bytes);
    // The four bytes of an IPv4 address as a packet holds them, read as one host integer.
    static Address v4_from_wire(std::uint32_t be);

    bool is_v4() const;
    bool is_unspecified() const;  // 0.0.0.0 or ::
    bool is_loopback() const;     // 127.0.0.0/8 or ::1
    bool is_multicast() const;    // 224.0.0.0/4, 255.255.255.255 or ff00::/8
    bool is_link_local() const;   // 169.254.0.0/16 or fe80::/10

    const Bytes& bytes() const { return bytes_; }
    std::uint32_t v4_wire() const;  // reverse of v4_from_wire; only when is_v4()
    std::string to_string() const;

    auto operator<=>(const Address&) const = default;

private:
    Bytes bytes_{};
};

struct Mac {
    std::array<std::uint8_t, 6> bytes{};

    static std::optional<Mac> parse(std::string_view text);
    // Bytes 0..5 in the low 48 bits, as the `hop` and `port` words of the data plane have them.
    static Mac from_word(std::uint64_t word);
    std::uint64_t to_word() const;
    std::string to_string() const;

    auto operator<=>(const Mac&) const = default;
};

}  // namespace bascule
