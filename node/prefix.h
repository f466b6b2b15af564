// SPDX-License-Identifier: Apache-2.0
// A network as the operator writes it: "192.0.2.0/24", "2001:db8::/32", or one address alone.
// Pure; any thread.
#pragma once

#include <string_view>

#include "base/address.h"
#include "base/result.h"

namespace bascule::node {

class Prefix {
public:
    // Bits beyond the length count for nothing: "192.0.2.7/24" is "192.0.2.0/24".
    static Result<Prefix> parse(std::string_view text);

    // Never across families: "::/0" has no IPv4 address in it.
    bool contains(const Address& address) const;

    const Address& network() const { return network_; }
    unsigned bits() const { return bits_; }  // of the 128 of an Address

private:
    Prefix(const Address& network, unsigned bits) : network_(network), bits_(bits) {}

    Address network_;
    unsigned bits_;  // of the 128 of an Address, where IPv4 is v4-mapped
};

}  // namespace bascule::node
