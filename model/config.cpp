// SPDX-License-Identifier: Apache-2.0
#include "model/config.h"

#include <algorithm>

#include "model/config_draft.h"
#include "model/config_reader.h"
#include "model/config_tree.h"
#include "model/config_words.h"

namespace bascule::model {
namespace {

BackendDraft read_backend(SectionReader& reader) {
    BackendDraft backend;
    backend.place = reader.place();
    backend.name = reader.text("name");
    backend.address = reader.address("address");
    backend.port = reader.integer("port");
    backend.weight = reader.integer("weight");
    backend.backup = reader.choice("backup");
    backend.check_address = reader.address("check_address");
    backend.check_port = reader.integer("check_port");
    return backend;
}

ForwardDraft read_forward(SectionReader& reader) {
    return {reader.choice("forward"), reader.integer("gue_port"), reader.choice("copy_dscp"),
            reader.integer("mss_clamp")};
}

ForwardDraft with_defaults(ForwardDraft own, const ForwardDraft& defaults) {
    const auto fill = [](auto& key, const auto& of_file) {
        if (!key.written) key.value = of_file.value;
    };
    fill(own.forward, defaults.forward);
    fill(own.gue_port, defaults.gue_port);
    fill(own.copy_dscp, defaults.copy_dscp);
    fill(own.mss_clamp, defaults.mss_clamp);
    return own;
}

ServiceDraft read_service(SectionReader& reader, const ForwardDraft& defaults) {
    ServiceDraft service;
    service.place = reader.place();
    service.name = reader.text("name");
    service.vip = reader.address("vip");
    service.ports = reader.ports("port");
    service.protocol = reader.choice("protocol");
    service.forward = with_defaults(read_forward(reader), defaults);
    service.affinity = reader.choice("affinity");
    service.unknown = reader.choice("unknown");
    service.on_empty = reader.choice("on_empty");
    service.ring_size = reader.integer("ring_size");
    SectionReader session = reader.section("session");
    service.tcp_limits[0] = session.seconds("tcp_embryonic");
    service.tcp_limits[1] = session.seconds("tcp_established");
    service.tcp_limits[2] = session.seconds("tcp_closing");
    service.udp_limits[0] = session.seconds("udp_embryonic");
    service.udp_limits[1] = session.seconds("udp_established");
    SectionReader health = reader.section("health");
    service.health = read_health(health);
    service.quorum = reader.integer("quorum");
    service.give_up_vip = reader.choice("give_up_vip");
    for (SectionReader& backend : reader.sections("backend"))
        service.backends.push_back(read_backend(backend));
    return service;
}

VipDraft read_vip(SectionReader& reader) {
    VipDraft vip{reader.place(), reader.address("address"), reader.text("interface"),
                 reader.priorities("priority")};
    reader.choice("announce");
    return vip;
}

// A section of single keys, which the files may fill together.
SectionReader merged(std::string_view path, const std::vector<Document>& documents, bool whole,
                     Diagnostics& diagnostics) {
    std::vector<const Member*> members;
    std::optional<Place> place;
    for (const Document& document : documents)
        for (const Member& section : document.root) {
            const auto* table = section.value.as<Table>();
            if (section.key != path || table == nullptr) continue;
            if (!place) place = section.place;
            const auto more = members_of(*table);
            members.insert(members.end(), more.begin(), more.end());
        }
    return {table_schema(path), place.value_or(Place{}), std::move(members), diagnostics, whole};
}

bool has_table(std::string_view path, const std::vector<Document>& documents) {
    return std::any_of(documents.begin(), documents.end(), [&](const Document& document) {
        return std::any_of(document.root.begin(), document.root.end(), [&](const Member& member) {
            return member.key == path && member.value.as<Table>() != nullptr;
        });
    });
}

Draft read(const std::vector<Document>& documents, std::string_view host_name,
           Diagnostics& diagnostics) {
    Draft draft;
    draft.host_name = host_name;
    draft.whole = std::all_of(documents.begin(), documents.end(),
                              [](const Document& document) { return document.whole; });
    SectionReader defaults = merged("defaults", documents, draft.whole, diagnostics);
    draft.defaults = read_forward(defaults);
    for (std::size_t file = 0; file < documents.size(); ++file) {
        SectionReader root(table_schema(""), {file, 0, 0}, members_of(documents[file].root),
                           diagnostics);
        root.expect_table("node");
        root.expect_table("defaults");
        root.expect_table("cluster");
        root.expect_table("log");
        root.expect_table("hook");
        root.expect_table("http");
        for (SectionReader& vip : root.sections("vip"))
            draft.vips.push_back(read_vip(vip));
        for (SectionReader& service : root.sections("service"))
            draft.services.push_back(read_service(service, draft.defaults));
    }
    SectionReader node = merged("node", documents, draft.whole, diagnostics);
    draft.name = node.text("name");
    draft.interfaces = node.interfaces("interfaces");
    draft.xdp_mode = node.choice("xdp_mode");
    draft.max_sessions = node.integer("max_sessions");
    draft.max_sessions_v6 = node.integer("max_sessions_v6");
    draft.tunnel_source_v4 = node.tunnel_source("tunnel_source_v4");
    draft.tunnel_source_v6 = node.tunnel_source("tunnel_source_v6");
    draft.probe_network_v4 = node.network("probe_network_v4");
    draft.probe_network_v6 = node.network("probe_network_v6");
    if (has_table("cluster", documents)) {
        SectionReader cluster = merged("cluster", documents, draft.whole, diagnostics);
        draft.cluster = read_cluster(cluster);
    }
    SectionReader hook = merged("hook", documents, draft.whole, diagnostics);
    draft.hook = read_program(hook);
    draft.hook_timeout = hook.milliseconds("timeout");
    if (has_table("http", documents))
        draft.listen = merged("http", documents, draft.whole, diagnostics).listen("listen");
    draft.level = merged("log", documents, draft.whole, diagnostics).choice("level");
    return draft;
}

constexpr Word<XdpMode> xdp_modes[] = {
    {"auto", XdpMode::automatic}, {"native", XdpMode::native}, {"generic", XdpMode::generic}};
constexpr Word<Protocol> protocols[] = {{"tcp", Protocol::tcp}, {"udp", Protocol::udp}};
constexpr Word<Affinity> affinities[] = {{"flow", Affinity::flow}, {"source", Affinity::source}};
constexpr Word<Unknown> unknowns[] = {{"rehash", Unknown::rehash}, {"drop", Unknown::drop}};
constexpr Word<Forward> forwards[] = {
    {"l2", Forward::l2}, {"ipip", Forward::ipip}, {"gue", Forward::gue}, {"local", Forward::local}};
constexpr Word<OnEmpty> on_empties[] = {{"drop", OnEmpty::drop}, {"reset", OnEmpty::reset}};
constexpr Word<LogLevel> levels[] = {{"trace", LogLevel::trace},
                                     {"debug", LogLevel::debug},
                                     {"info", LogLevel::info},
                                     {"warning", LogLevel::warning},
                                     {"error", LogLevel::error}};

SessionLimits limits_of(const ServiceDraft& draft, Protocol protocol) {
    const auto limit = [](const Placed<std::int64_t>& placed) { return Seconds(*placed.value); };
    if (protocol == Protocol::udp)
        return {limit(draft.udp_limits[0]), limit(draft.udp_limits[1]), limit(draft.udp_limits[1])};
    return {limit(draft.tcp_limits[0]), limit(draft.tcp_limits[1]), limit(draft.tcp_limits[2])};
}

BackendConfig backend_of(const BackendDraft& draft, const ServiceConfig& service) {
    BackendConfig backend;
    backend.address = draft.address.value.value_or(service.vip);
    if (service.ports.is_single())
        backend.port = draft.port.written ? number16(draft.port) : service.ports.first;
    backend.name = draft.name.value.value_or(default_name(backend.address, draft.port));
    backend.weight = number(draft.weight);
    backend.backup = meaning(draft.backup, booleans);
    backend.check_address = draft.check_address.value;
    if (draft.check_port.written) backend.check_port = number16(draft.check_port);
    return backend;
}

ServiceConfig service_of(const ServiceDraft& draft, const Diagnostics& diagnostics) {
    ServiceConfig service;
    service.name = *draft.name.value;
    service.vip = *draft.vip.value;
    service.ports = *draft.ports.value;
    service.protocol = meaning(draft.protocol, protocols);
    service.affinity = meaning(draft.affinity, affinities);
    service.unknown = meaning(draft.unknown, unknowns);
    service.on_empty = meaning(draft.on_empty, on_empties);
    service.forward = meaning(draft.forward.forward, forwards);
    service.gue_port = number16(draft.forward.gue_port);
    service.copy_dscp = meaning(draft.forward.copy_dscp, booleans);
    if (service.protocol == Protocol::tcp) service.mss_clamp = number16(draft.forward.mss_clamp);
    service.ring_size = number(draft.ring_size);
    service.limits = limits_of(draft, service.protocol);
    service.health = health_of(draft, diagnostics);
    service.quorum = number(draft.quorum);
    service.give_up_vip = meaning(draft.give_up_vip, booleans);
    for (const BackendDraft& backend : draft.backends)
        service.backends.push_back(backend_of(backend, service));
    return service;
}

VipConfig vip_of(const VipDraft& draft) {
    VipConfig vip{*draft.address.value, *draft.interface.value, {}};
    if (draft.priority.value)
        for (const NamedInteger& one : *draft.priority.value)
            vip.priority.emplace(*one.name.value, number(one.number));
    return vip;
}

// Only of a draft without errors.
Config config_of(const Draft& draft, const Diagnostics& diagnostics) {
    Config config;
    config.node.name = draft.name.value.value_or(draft.host_name);
    for (const auto& interface : draft.interfaces)
        config.node.interfaces.push_back(*interface.value);
    config.node.xdp_mode = meaning(draft.xdp_mode, xdp_modes);
    config.node.max_sessions = number(draft.max_sessions);
    config.node.max_sessions_v6 =
        number(draft.max_sessions_v6.written ? draft.max_sessions_v6 : draft.max_sessions);
    config.node.tunnel_source_v4 = draft.tunnel_source_v4.value;
    config.node.tunnel_source_v6 = draft.tunnel_source_v6.value;
    config.node.probe_network_v4 = *draft.probe_network_v4.value;
    config.node.probe_network_v6 = *draft.probe_network_v6.value;
    if (draft.cluster) config.cluster = cluster_of(*draft.cluster, diagnostics);
    for (const VipDraft& vip : draft.vips)
        config.vips.push_back(vip_of(vip));
    for (const ServiceDraft& service : draft.services)
        config.services.push_back(service_of(service, diagnostics));
    config.log.level = meaning(draft.level, levels);
    config.hook.program = program_of(draft.hook, diagnostics);
    config.hook.timeout = Milliseconds(*draft.hook_timeout.value);
    if (draft.listen)
        config.http = HttpConfig{*draft.listen->value, diagnostics.origin(draft.listen->place)};
    return config;
}

}  // namespace

const char* name_of(Forward forward) {
    return word_of(forward, forwards);
}

const char* name_of(Protocol protocol) {
    return word_of(protocol, protocols);
}

std::string Diagnostic::to_string() const {
    if (file.empty()) return message;
    if (line == 0) return file + ": " + message;
    return file + ':' + std::to_string(line) + ':' + std::to_string(column) + ": " + message;
}

ParsedConfig parse_config(const std::vector<SourceText>& sources, std::string_view host_name) {
    if (sources.empty()) return {{}, {{"", 0, 0, "no configuration file"}}};
    Diagnostics diagnostics(sources);
    std::vector<Document> documents;
    for (std::size_t file = 0; file < sources.size(); ++file)
        documents.push_back(parse_toml(sources[file].text, file, diagnostics));
    const Draft draft = read(documents, host_name, diagnostics);
    if (!draft.name.written && draft.whole && !is_name(host_name))
        diagnostics.add(draft.name.place, "the host name " + quoted(host_name) +
                                              " is no name for a node: set 'name' in [node]");
    check(draft, diagnostics);
    if (!diagnostics.empty()) return {{}, diagnostics.report()};
    return {config_of(draft, diagnostics), {}};
}

}  // namespace bascule::model
