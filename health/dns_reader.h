// SPDX-License-Identifier: Apache-2.0
// Reads a DNS message from its front. What does not fit makes the reader broken, and everything
// after that comes out empty: so a caller may look once, at the end of what it reads.
//
// Pure. A reader never looks beyond its message, and a name costs at most 254 steps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bascule::health::dns {

class Reader {
public:
    explicit Reader(std::string_view message) : Reader(message, 0, message.size()) {}

    bool broken() const { return broken_; }

    std::optional<std::uint16_t> u16();
    void skip(std::size_t count);
    // A domain name in lower case, without its last dot; the root is empty. Dots and what cannot be
    // printed stand as \. and \DDD (RFC 1035, section 5.1).
    std::optional<std::string> name();

    // The next `size` bytes as a reader of their own, whose names may still point before them.
    Reader part(std::size_t size);

    // All that is left, which has to be so many bytes: 4 or 16.
    std::optional<std::string> address(std::size_t size);
    // All that is left: strings with their lengths (TXT), put together.
    std::optional<std::string> strings();

private:
    Reader(std::string_view message, std::size_t at, std::size_t end)
        : message_(message), at_(at), end_(end) {}
    bool has(std::size_t count);
    std::uint8_t byte(std::size_t at) const { return static_cast<std::uint8_t>(message_[at]); }

    std::string_view message_;
    std::size_t at_;
    std::size_t end_;
    bool broken_ = false;
};

}  // namespace bascule::health::dns
