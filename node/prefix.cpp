// SPDX-License-Identifier: Apache-2.0
#include "node/prefix.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace bascule::node {

namespace {

constexpr unsigned mapped_bits = 96;  // of a v4-mapped address before the IPv4 address

Address masked(const Address& address, unsigned bits) {
    Address::Bytes bytes = address.bytes();
    for (unsigned i = 0; i < bytes.size(); ++i) {
        const unsigned keep = bits > i * 8 ? std::min(bits - i * 8, 8U) : 0;
        bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00U >> keep));
    }
    return Address(bytes);
}

}  // namespace

Result<Prefix> Prefix::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = Address::parse(text.substr(0, slash));
    if (!address)
        return failure(fmt::format("'{}' is no address and no prefix such as 192.0.2.0/24", text));
    const unsigned width = address->is_v4() ? 32 : 128;
    unsigned length = width;
    if (slash != std::string_view::npos) {
        const char* end = text.data() + text.size();
        const auto read = std::from_chars(text.data() + slash + 1, end, length);
        if (read.ec != std::errc() || read.ptr != end || length > width)
            return failure(fmt::format("'{}': a prefix length is 0 to {}", text, width));
    }
    const unsigned bits = address->is_v4() ? mapped_bits + length : length;
    return Prefix(masked(*address, bits), bits);
}

bool Prefix::contains(const Address& address) const {
    return address.is_v4() == network_.is_v4() && masked(address, bits_) == network_;
}

}  // namespace bascule::node
