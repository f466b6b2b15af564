// SPDX-License-Identifier: Apache-2.0
#include "model/config_health.h"

#include <algorithm>

#include "model/config_draft.h"
#include "model/config_words.h"

namespace bascule::model {
namespace {

constexpr std::int64_t usual_timeout = 500;  // milliseconds
constexpr std::int64_t usual_hold_down_max = 300'000;

constexpr Word<ProbeType> types[] = {{"none", ProbeType::none}, {"tcp", ProbeType::tcp},
                                     {"http", ProbeType::http}, {"https", ProbeType::https},
                                     {"udp", ProbeType::udp},   {"dns", ProbeType::dns},
                                     {"icmp", ProbeType::icmp}, {"exec", ProbeType::exec}};
constexpr Word<Via> vias[] = {{"vip", Via::vip}, {"address", Via::address}};

void read_schedule(SectionReader& reader, HealthDraft& health) {
    health.interval = reader.milliseconds("interval");
    health.fast_interval = reader.milliseconds("fast_interval");
    health.timeout = reader.milliseconds("timeout");
    health.rise = reader.integer("rise");
    health.fall = reader.integer("fall");
    health.slow_start = reader.milliseconds("slow_start");
    health.flap_limit = reader.integer("flap_limit");
    health.flap_window = reader.milliseconds("flap_window");
    health.hold_down = reader.milliseconds("hold_down");
    health.hold_down_max = reader.milliseconds("hold_down_max");
}

void read_content(SectionReader& reader, HealthDraft& health) {
    health.send = reader.bytes("send");
    health.send_hex = reader.bytes("send_hex");
    health.expect = reader.bytes("expect");
    health.expect_hex = reader.bytes("expect_hex");
    health.expect_regex = reader.bytes("expect_regex");
}

void read_http(SectionReader& reader, HealthDraft& health) {
    health.method = reader.choice("method");
    health.path = reader.bytes("path");
    health.host = reader.bytes("host");
    health.headers = reader.texts("headers");
    health.status = reader.status("status");
    health.keep_alive = reader.choice("keep_alive");
    health.body_limit = reader.integer("body_limit");
    health.sni = reader.bytes("sni");
    health.ca = reader.file("ca");
    health.verify = reader.choice("verify");
    health.certificate = reader.file("certificate");
    health.key = reader.file("key");
    health.expiry_warning = reader.milliseconds("expiry_warning");
}

void read_dns(SectionReader& reader, HealthDraft& health) {
    health.name = reader.bytes("name");
    health.record = reader.choice("record");
    health.rcode = reader.choice("rcode");
    health.answer = reader.bytes("answer");
}

Milliseconds duration(const std::optional<std::int64_t>& value) {
    return Milliseconds(value.value());
}

void set_schedule(HealthConfig& health, const HealthDraft& draft) {
    health.interval = duration(draft.interval.value);
    health.fast_interval = duration(fast_interval_of(draft));
    health.timeout = duration(timeout_of(draft));
    health.rise = number(draft.rise);
    health.fall = number(draft.fall);
    health.slow_start = duration(draft.slow_start.value);
    health.flap_limit = number(draft.flap_limit);
    health.flap_window = duration(draft.flap_window.value);
    health.hold_down = duration(draft.hold_down.value);
    health.hold_down_most = duration(hold_down_max_of(draft));
}

void set_http(HealthConfig& health, const HealthDraft& draft, const Diagnostics& diagnostics) {
    health.method = *draft.method.value;
    health.path = draft.path.value.value_or(health.path);
    health.host = draft.host.value.value_or("");
    for (const auto& header : draft.headers.value.value_or(Texts{}))
        health.headers.push_back(*header.value);
    health.status = *draft.status.value;
    health.keep_alive = meaning(draft.keep_alive, booleans);
    health.body_limit = number(draft.body_limit);
    health.sni = draft.sni.value.value_or("");
    health.ca = draft.ca.value.value_or("");
    health.verify = meaning(draft.verify, booleans);
    health.certificate = draft.certificate.value.value_or("");
    health.key = draft.key.value.value_or("");
    health.expiry_warning = duration(draft.expiry_warning.value);
    health.ca_origin = diagnostics.origin(draft.ca.place);
    health.cert_origin = diagnostics.origin(draft.certificate.place);
    health.key_origin = diagnostics.origin(draft.key.place);
}

}  // namespace

ProgramDraft read_program(SectionReader& reader) {
    return {reader.texts("command"), reader.text("user")};
}

HealthDraft read_health(SectionReader& reader) {
    HealthDraft health;
    health.place = reader.place();
    health.type = reader.choice("type");
    health.via = reader.choice("via");
    health.port = reader.integer("port");
    health.source = reader.address("source");
    read_schedule(reader, health);
    read_content(reader, health);
    read_http(reader, health);
    read_dns(reader, health);
    health.program = read_program(reader);
    if (health.type.written && health.type.value) reader.expect_only_for(*health.type.value);
    return health;
}

std::optional<std::int64_t> fast_interval_of(const HealthDraft& health) {
    if (health.fast_interval.written || !health.interval.value) return health.fast_interval.value;
    return *health.interval.value / 4;
}

std::optional<std::int64_t> timeout_of(const HealthDraft& health) {
    if (health.timeout.written || !health.interval.value) return health.timeout.value;
    return std::min(usual_timeout, *health.interval.value);
}

std::optional<std::int64_t> hold_down_max_of(const HealthDraft& health) {
    if (health.hold_down_max.written || !health.hold_down.value) return health.hold_down_max.value;
    return std::max(usual_hold_down_max, *health.hold_down.value);
}

std::string no_way_by_vip(const ServiceDraft& service) {
    const HealthDraft& health = service.health;
    if (!health.type.value || !service.forward.forward.value || !service.ports.value ||
        !service.protocol.value || (health.port.written && !health.port.value))
        return {};
    const std::string type(*health.type.value);
    const std::string protocol(*service.protocol.value);
    const PortRange& ports = *service.ports.value;
    if (service.forward.forward.value == "local")
        return "with forward = \"local\" nothing is forwarded";
    if (!health.port.written && !ports.is_single())
        return "the service is on " +
               std::string(ports.is_any() ? "any port" : "ports " + ports.to_string()) +
               ": say by 'port' which one is checked";
    if (health.port.written &&
        (*health.port.value < ports.first || *health.port.value > ports.last))
        return "port " + std::to_string(*health.port.value) + " is none of the service's (" +
               ports.to_string() + ")";
    if (type != "dns" && (type == "udp") != (protocol == "udp"))
        return "the service is " + protocol + " and the check is not";
    return {};
}

bool goes_by_vip(const ServiceDraft& service) {
    const HealthDraft& health = service.health;
    if (health.via.written) return health.via.value == "vip";
    const bool has_port = !health.is("none") && !health.is("icmp") && !health.is("exec");
    return has_port && no_way_by_vip(service).empty();
}

ProgramConfig program_of(const ProgramDraft& draft, const Diagnostics& diagnostics) {
    ProgramConfig program;
    if (!draft.command.value) return program;
    for (const auto& word : *draft.command.value)
        program.command.push_back(*word.value);
    program.user = draft.user.value.value_or(program.user);
    program.origin = diagnostics.origin(draft.command.place);
    return program;
}

HealthConfig health_of(const ServiceDraft& service, const Diagnostics& diagnostics) {
    const HealthDraft& draft = service.health;
    HealthConfig health;
    health.type = meaning(draft.type, types);
    health.origin = diagnostics.origin(draft.place);
    if (health.type == ProbeType::none) return health;
    health.via = goes_by_vip(service) ? Via::vip : Via::address;
    if (draft.port.written) health.port = number16(draft.port);
    health.source = draft.source.value;
    set_schedule(health, draft);
    health.send = draft.send.value.value_or(draft.send_hex.value.value_or(""));
    health.expect = draft.expect.value.value_or(draft.expect_hex.value.value_or(""));
    health.expect_regex = draft.expect_regex.value.value_or("");
    set_http(health, draft, diagnostics);
    health.dns_name = draft.name.value.value_or("");
    health.dns_type = *draft.record.value;
    health.dns_rcode = *draft.rcode.value;
    health.dns_answer = draft.answer.value.value_or("");
    health.program = program_of(draft.program, diagnostics);
    return health;
}

CheckPoint check_point(const ServiceConfig& service, const BackendConfig& backend) {
    const HealthConfig& health = service.health;
    const bool own = backend.check_address || backend.check_port != 0;
    const std::uint16_t single = service.ports.is_single() ? service.ports.first : 0;
    if (health.via == Via::vip && !own)
        return {Via::vip, service.vip, health.port != 0 ? health.port : single};
    CheckPoint point{Via::address, backend.check_address.value_or(backend.address), backend.port};
    if (health.port != 0) point.port = health.port;
    if (backend.check_port != 0) point.port = backend.check_port;
    if (health.type == ProbeType::icmp) point.port = 0;
    return point;
}

const char* name_of(ProbeType type) {
    return word_of(type, types);
}

const char* name_of(Via via) {
    return word_of(via, vias);
}

}  // namespace bascule::model
