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
#include "model/ring.h"

namespace bascule::model {

// Identity of a service: what its packets are addressed to.
struct ServiceKey {
    Address vip;
    PortRange ports;
    Protocol protocol = Protocol::tcp;

    auto operator<=>(const ServiceKey&) const = default;
    std::string to_string() const;  // "10.9.0.100:80/tcp", "[2001:db8::1]:8000-8099/udp"
};

// Identity of a backend within its service: the same on every node, whatever its slot or name.
struct BackendKey {
    Address address;
    std::uint16_t port = 0;  // host order

    auto operator<=>(const BackendKey&) const = default;
    std::string to_string() const;
};

// Where a backend's frames go. All zero for a backend that is this host itself (Forward::local).
struct NextHop {
    Mac mac;                    // the backend's, or its gateway's
    std::uint32_t ifindex = 0;  // of what frames go out by; for a VLAN interface, the one below it
    std::uint16_t vlan = 0;     // id to tag with; 0: untagged
    Mac source_mac;             // ours there
    std::uint16_t mtu = 1500;   // largest IP packet on the whole way, as far as the kernel knows

    auto operator<=>(const NextHop&) const = default;
};

// How packets are made fit for a backend.
struct Delivery {
    Forward forward = Forward::l2;
    std::uint16_t rewrite_port = 0;  // destination port, host order; 0: as it is
    std::uint16_t gue_port = 0;      // only with Forward::gue
    Address tunnel_source;           // only with ipip and gue
    std::uint8_t entropy_bits = 0;   // so many last bits of tunnel_source are the flow's

    bool operator==(const Delivery&) const = default;
};

// What a packet meets in its service, besides backends.
struct ServiceOptions {
    SessionLimits limits;
    Affinity affinity = Affinity::flow;
    Unknown unknown = Unknown::rehash;
    OnEmpty on_empty = OnEmpty::drop;
    std::uint16_t mss_clamp = 0;  // bytes; 0: none
    bool copy_dscp = true;

    bool operator==(const ServiceOptions&) const = default;
};

// ---- what is wanted ----

struct DesiredBackend {
    BackendKey key;
    std::uint32_t weight = 0;  // effective; 0: no new flows, sessions stay
    bool up = true;            // false: no new flows, sessions move
    bool backup = false;       // in the ring only when no other backend can be
    std::optional<NextHop> next_hop;
    Delivery delivery;
};

struct DesiredService {
    ServiceKey key;
    ServiceOptions options;
    std::uint32_t ring_size = 65537;
    std::vector<DesiredBackend> backends;
};

struct DesiredVip {
    Address address;
    bool held = true;  // this node has the address: Linux answers what fits no service
};

struct Desired {
    std::vector<DesiredVip> vips;
    std::vector<DesiredService> services;
};

// ---- what stands ----

struct TableService {
    ServiceKey key;
    ServiceOptions options;

    bool operator==(const TableService&) const = default;
};

struct TableBackend {
    std::uint16_t service = 0;  // slot
    BackendKey key;
    std::uint8_t generation = 0;
    bool up = false;
    std::optional<NextHop> next_hop;
    Delivery delivery;

    bool operator==(const TableBackend&) const = default;
};

struct TableVip {
    Address address;
    bool held = false;

    bool operator==(const TableVip&) const = default;
};

struct Tables {
    std::map<std::uint16_t, TableService> services;  // by slot
    std::map<std::uint16_t, TableBackend> backends;  // by slot, from 1
    std::map<std::uint16_t, Ring> rings;             // by service slot; none where there is no ring
    std::map<std::uint16_t, TableVip> vips;          // by VIP id, from 1
    // Generation last used by a backend slot that is free now.
    std::map<std::uint16_t, std::uint8_t> retired_generations;

    bool operator==(const Tables&) const = default;
};

}  // namespace bascule::model
