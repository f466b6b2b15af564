// SPDX-License-Identifier: Apache-2.0
// Who is who in the tests: clients, VIPs, services, backends; and the fixture that sets them up.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include "base/address.h"
#include "engine.h"
#include "frame.h"
#include "model/tables.h"

namespace bascule::test {

Address address(std::string_view text);

// The same scene in both families.
struct Family {
    std::string name;
    Address client;
    Address vip;
    Address other;  // a host that is no VIP
};
inline void PrintTo(const Family& family, std::ostream* out) {
    *out << family.name;
}
const Family& ipv4_family();
const Family& ipv6_family();

inline constexpr std::uint16_t client_port = 40000;
inline constexpr std::uint16_t web = 80;   // TCP
inline constexpr std::uint16_t name = 53;  // UDP

// The address of backend `number` of the scene.
constexpr Mac backend_mac(std::uint8_t number) {
    return {{0x02, 0, 0, 0, 0x0b, number}};
}

model::DesiredBackend backend(const Family& family, std::uint8_t number);
// With backends 1 to 3, and limits of minutes.
model::DesiredService service(const Family& family, model::Protocol protocol);
// Both VIPs, each with `web` and `name`.
model::Desired usual_tables();

model::ServiceKey web_key(const Family& family);
model::ServiceKey name_key(const Family& family);

// A packet from the client to the VIP.
Bytes tcp_packet(const Family& family, std::uint8_t flags, std::uint32_t sequence = 1000,
                 std::uint16_t source_port = client_port, std::size_t payload = 0);
Bytes udp_packet(const Family& family, std::uint16_t source_port = client_port,
                 std::size_t payload = 12);

// What the frame becomes on its way to a station: the two MAC addresses and nothing else.
Bytes sent_to(const Mac& destination, Bytes frame);
Mac destination_of(const Bytes& frame);
bool is_backend_of_scene(const Mac& mac);

// One engine for all tests of a program that use it; each test begins with the usual tables, no
// sessions.
class Scene : public ::testing::Test {
protected:
    void SetUp() override;
    // A test that brings tables of its own at once says no: each ring that is changed costs the
    // kernel a grace period.
    virtual bool begins_with_usual_tables() const { return true; }

    Engine& engine() { return *engine_; }
    // Brings the tables to what is wanted; the test fails when that fails.
    void want(const model::Desired& desired);
    // Runs the frame; the number of the backend that it was sent to. The test fails when it was
    // not sent, or is not what was put in but for the MAC addresses.
    std::uint8_t deliver(const Bytes& frame);
    // Runs the frame, and expects this verdict and the bytes as they were.
    void expect_untouched(const Bytes& frame, Verdict verdict);
    dataplane::SessionKey key_of(const Family& family, std::uint16_t service_port = web,
                                 std::uint16_t source_port = client_port);

public:
    // To be called before the program ends.
    static void close() { engine_.reset(); }

private:
    static std::unique_ptr<Engine> engine_;
};

}  // namespace bascule::test
