// SPDX-License-Identifier: Apache-2.0
// One service with one backend, reached in any of the ways; and the comparison of what leaves with
// what expected.h says.
#pragma once

#include <string>
#include <vector>

#include "expected.h"
#include "scene.h"
#include "world.h"

namespace bascule::test {

// Of a tunnel: where it begins and ends.
const Address& tunnel_end(bool v4);
const Address& tunnel_source(bool v4);

inline constexpr std::uint16_t rewritten_port = 8080;
// Of the second interface, and of the station there.
inline constexpr Mac second_source{{0x02, 0, 0, 0, 0x22, 0x01}};
inline constexpr Mac station{{0x02, 0, 0, 0, 0x0b, 0x4d}};

struct NamedWay {
    std::string name;
    Way way;
};
void PrintTo(const NamedWay& named, std::ostream* out);

// By the first interface, to `station`. A tunnel ends at an address of the family.
Way l2_way();
Way tunnel_way(model::Forward forward, bool v4);
Way local_way();
// Every forwarding mode, with both families as outer ones; each with the service's port and with
// another one.
std::vector<NamedWay> every_way();
std::vector<NamedWay> every_tunnel();
Verdict verdict_of(const Way& way);

struct Served {
    Family family = ipv4_family();
    model::Protocol protocol = model::Protocol::tcp;
    Way way = l2_way();
    std::uint16_t mtu = 1500;
    const char* interface = first_interface;
    model::PortRange ports{web, web};
    model::OnEmpty on_empty = model::OnEmpty::drop;
    bool has_backend = true;
    bool held = true;
};

model::DesiredService service_of(const Served& served);

// Tests that have this as their base use the usual tables; see OwnTables for others.
class Delivery : public Scene {
protected:
    // Both VIPs, and no other services.
    void serve(const std::vector<Served>& all);
    // Runs the frame, expects that it leaves (or goes up) as the way says, and returns it.
    Bytes expect_delivered(const Bytes& in, const Way& way, Verdict verdict);
    Bytes expect_delivered(const Bytes& in, const Way& way);
    // Runs the frame, expects the verdict and just these bytes.
    void expect_frame(const Bytes& in, Verdict verdict, const Bytes& out);
    // One of each is counted since the last time, and nothing else.
    void expect_counts(const std::vector<std::string>& names);
};

class OwnTables : public Delivery {
protected:
    bool begins_with_usual_tables() const override { return false; }
};

// From the client to the VIP, with the right checksum.
Frame web_frame(const Family& family, const Tcp& tcp = {.flags = syn}, std::size_t payload = 33);
Frame name_frame(const Family& family, std::size_t payload = 33);
Frame frame_for(const Served& served);

}  // namespace bascule::test
