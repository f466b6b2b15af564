// SPDX-License-Identifier: Apache-2.0
#include "scene.h"

#include <algorithm>
#include <stdexcept>

#include "world.h"

namespace bascule::test {

namespace {

constexpr std::uint32_t sessions_of_scene = 100'000;
constexpr std::uint8_t backends_of_scene = 3;

}  // namespace

std::unique_ptr<Engine> Scene::engine_;

Address address(std::string_view text) {
    const auto parsed = Address::parse(text);
    if (!parsed) throw std::invalid_argument(std::string(text));
    return *parsed;
}

const Family& ipv4_family() {
    static const Family family{"IPv4", address("198.51.100.7"), address("10.9.0.100"),
                               address("10.9.0.7")};
    return family;
}

const Family& ipv6_family() {
    static const Family family{"IPv6", address("2001:db8::7"), address("fd09::100"),
                               address("fd09::7")};
    return family;
}

model::DesiredBackend backend(const Family& family, std::uint8_t number) {
    Address::Bytes bytes = family.other.bytes();
    bytes[15] = static_cast<std::uint8_t>(10 + number);
    model::DesiredBackend backend;
    backend.key = {Address(bytes), web};
    backend.weight = 100;
    backend.next_hop =
        model::NextHop{backend_mac(number), interface_index(first_interface), 0, our_mac, 1500};
    return backend;
}

model::ServiceKey web_key(const Family& family) {
    return {family.vip, {web, web}, model::Protocol::tcp};
}

model::ServiceKey name_key(const Family& family) {
    return {family.vip, {name, name}, model::Protocol::udp};
}

model::DesiredService service(const Family& family, model::Protocol protocol) {
    model::DesiredService service;
    service.key = protocol == model::Protocol::tcp ? web_key(family) : name_key(family);
    service.options.limits = {model::Seconds(60), model::Seconds(600), model::Seconds(60)};
    service.ring_size = 1021;
    for (std::uint8_t number = 1; number <= backends_of_scene; number++)
        service.backends.push_back(backend(family, number));
    return service;
}

model::Desired usual_tables() {
    model::Desired desired;
    for (const Family* family : {&ipv4_family(), &ipv6_family()}) {
        desired.vips.push_back({family->vip});
        desired.services.push_back(service(*family, model::Protocol::tcp));
        desired.services.push_back(service(*family, model::Protocol::udp));
    }
    return desired;
}

Bytes tcp_packet(const Family& family, std::uint8_t flags, std::uint32_t sequence,
                 std::uint16_t source_port, std::size_t payload) {
    return Frame()
        .ip(family.client, family.vip)
        .tcp({.source = source_port, .destination = web, .sequence = sequence, .flags = flags})
        .payload(payload);
}

Bytes udp_packet(const Family& family, std::uint16_t source_port, std::size_t payload) {
    return Frame()
        .ip(family.client, family.vip)
        .udp({.source = source_port, .destination = name})
        .payload(payload);
}

Bytes sent_to(const Mac& destination, Bytes frame) {
    std::copy(destination.bytes.begin(), destination.bytes.end(), frame.begin());
    std::copy(our_mac.bytes.begin(), our_mac.bytes.end(), frame.begin() + 6);
    return frame;
}

Mac destination_of(const Bytes& frame) {
    Mac mac;
    std::copy_n(frame.begin(), mac.bytes.size(), mac.bytes.begin());
    return mac;
}

bool is_backend_of_scene(const Mac& mac) {
    const std::uint8_t number = mac.bytes[5];
    return number >= 1 && number <= backends_of_scene && mac == backend_mac(number);
}

void Scene::SetUp() {
    if (!engine_) {
        auto engine = Engine::open("scene", sessions_of_scene);
        ASSERT_TRUE(engine.has_value()) << engine.error().text();
        engine_ = std::move(*engine);
    }
    engine().forget_sessions();
    engine().forget_answers_and_fragments();
    if (begins_with_usual_tables()) want(usual_tables());
    engine().counted();
}

void Scene::want(const model::Desired& desired) {
    const auto wanted = engine().want(desired);
    ASSERT_TRUE(wanted.has_value()) << wanted.error().text();
}

std::uint8_t Scene::deliver(const Bytes& frame) {
    const Outcome outcome = engine().run(frame);
    EXPECT_EQ(outcome.verdict, Verdict::tx);
    if (outcome.verdict != Verdict::tx) return 0;
    const Mac mac = destination_of(outcome.frame);
    EXPECT_EQ(hex(outcome.frame), hex(sent_to(mac, frame)));
    EXPECT_EQ(mac, backend_mac(mac.bytes[5])) << mac.to_string();
    return mac.bytes[5];
}

void Scene::expect_untouched(const Bytes& frame, Verdict verdict) {
    const Outcome outcome = engine().run(frame);
    EXPECT_EQ(outcome.verdict, verdict);
    EXPECT_EQ(hex(outcome.frame), hex(frame));
}

dataplane::SessionKey Scene::key_of(const Family& family, std::uint16_t service_port,
                                    std::uint16_t source_port) {
    const std::uint16_t slot =
        engine().service_slot(service_port == web ? web_key(family) : name_key(family));
    return {family.client, source_port, service_port, slot};
}

}  // namespace bascule::test
