// SPDX-License-Identifier: Apache-2.0
// What the data plane's tables hold, as values, and what they should hold.
//
// `Tables` is what stands in the maps, by slot; the data plane reads it back from its pinned maps
// when it adopts them, so slots and generations survive a restart without any file. `Desired` is
// what configuration, operator's word and neighbour table together ask for; it knows no slots.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "model/config.h"

namespace bascule::model {

// Identity of a service: what its packets are addressed to.
struct ServiceKey {
    Address vip;
    std::uint16_t port = 0;  // host order
    Protocol protocol = Protocol::tcp;

    auto operator<=>(const ServiceKey&) const = default;
    std::string to_string() const;  // "10.9.0.100:80/tcp", "[2001:db8::1]:53/udp"
};

// Identity of a backend within its service: the same on every node, whatever its slot or name.
struct BackendKey {
    Address address;
    std::uint16_t port = 0;  // host order

    auto operator<=>(const BackendKey&) const = default;
    std::string to_string() const;
};

// Where a backend's frames go.
struct NextHop {
    Mac mac;
    std::uint32_t ifindex = 0;

    auto operator<=>(const NextHop&) const = default;
};

// ---- what is wanted ----

struct DesiredBackend {
    BackendKey key;
    std::uint32_t weight = 0;  // effective; 0: no new flows, sessions stay
    bool up = true;            // false: no new flows, sessions move
    std::optional<NextHop> next_hop;
};

struct DesiredService {
    ServiceKey key;
    SessionLimits limits;
    Affinity affinity = Affinity::flow;
    Unknown unknown = Unknown::rehash;
    std::uint32_t ring_size = 65537;
    std::vector<DesiredBackend> backends;
};

struct Desired {
    std::vector<Address> vips;
    std::vector<DesiredService> services;
};

// ---- what stands ----

struct TableService {
    ServiceKey key;
    SessionLimits limits;
    Affinity affinity = Affinity::flow;
    Unknown unknown = Unknown::rehash;

    bool operator==(const TableService&) const = default;
};

struct TableBackend {
    std::uint16_t service = 0;  // slot
    BackendKey key;
    std::uint8_t generation = 0;
    bool up = false;
    std::optional<NextHop> next_hop;

    bool operator==(const TableBackend&) const = default;
};

using Ring = std::vector<std::uint16_t>;  // backend slots; empty: no backend takes new flows

struct Tables {
    std::map<std::uint16_t, TableService> services;  // by slot
    std::map<std::uint16_t, TableBackend> backends;  // by slot, from 1
    std::map<std::uint16_t, Ring> rings;             // by service slot; none where there is no ring
    std::map<std::uint16_t, Address> vips;           // by VIP id, from 1
    // Generation last used by a backend slot that is free now.
    std::map<std::uint16_t, std::uint8_t> retired_generations;

    bool operator==(const Tables&) const = default;
};

}  // namespace bascule::model
