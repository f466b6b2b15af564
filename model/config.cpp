// SPDX-License-Identifier: Apache-2.0
#include "model/config.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include "model/config_draft.h"
#include "model/config_reader.h"
#include "model/config_tree.h"

namespace bascule::model {
namespace {

BackendDraft read_backend(SectionReader& reader) {
    BackendDraft backend;
    backend.place = reader.place();
    backend.name = reader.text("name");
    backend.address = reader.address("address");
    backend.port = reader.integer("port");
    backend.weight = reader.integer("weight");
    reader.choice("backup");
    return backend;
}

ServiceDraft read_service(SectionReader& reader) {
    ServiceDraft service;
    service.place = reader.place();
    service.name = reader.text("name");
    service.vip = reader.address("vip");
    service.port = reader.integer("port");
    service.protocol = reader.choice("protocol");
    reader.choice("forward");
    service.affinity = reader.choice("affinity");
    service.unknown = reader.choice("unknown");
    reader.choice("on_empty");
    service.ring_size = reader.integer("ring_size");
    SectionReader session = reader.section("session");
    service.tcp_limits[0] = session.seconds("tcp_embryonic");
    service.tcp_limits[1] = session.seconds("tcp_established");
    service.tcp_limits[2] = session.seconds("tcp_closing");
    service.udp_limits[0] = session.seconds("udp_embryonic");
    service.udp_limits[1] = session.seconds("udp_established");
    reader.section("health").choice("type");
    for (SectionReader& backend : reader.sections("backend"))
        service.backends.push_back(read_backend(backend));
    return service;
}

VipDraft read_vip(SectionReader& reader) {
    VipDraft vip{reader.place(), reader.address("address"), reader.text("interface")};
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

Draft read(const std::vector<Document>& documents, Diagnostics& diagnostics) {
    Draft draft;
    draft.whole = std::all_of(documents.begin(), documents.end(),
                              [](const Document& document) { return document.whole; });
    for (std::size_t file = 0; file < documents.size(); ++file) {
        SectionReader root(table_schema(""), {file, 0, 0}, members_of(documents[file].root),
                           diagnostics);
        root.expect_table("node");
        root.expect_table("log");
        for (SectionReader& vip : root.sections("vip"))
            draft.vips.push_back(read_vip(vip));
        for (SectionReader& service : root.sections("service"))
            draft.services.push_back(read_service(service));
    }
    SectionReader node = merged("node", documents, draft.whole, diagnostics);
    draft.name = node.text("name");
    draft.interfaces = node.interfaces("interfaces");
    draft.xdp_mode = node.choice("xdp_mode");
    draft.max_sessions = node.integer("max_sessions");
    draft.max_sessions_v6 = node.integer("max_sessions_v6");
    draft.level = merged("log", documents, draft.whole, diagnostics).choice("level");
    return draft;
}

template <typename Enum>
struct Word {
    std::string_view text;
    Enum value;
};

constexpr Word<XdpMode> xdp_modes[] = {
    {"auto", XdpMode::automatic}, {"native", XdpMode::native}, {"generic", XdpMode::generic}};
constexpr Word<Protocol> protocols[] = {{"tcp", Protocol::tcp}, {"udp", Protocol::udp}};
constexpr Word<Affinity> affinities[] = {{"flow", Affinity::flow}, {"source", Affinity::source}};
constexpr Word<Unknown> unknowns[] = {{"rehash", Unknown::rehash}, {"drop", Unknown::drop}};
constexpr Word<LogLevel> levels[] = {{"trace", LogLevel::trace},
                                     {"debug", LogLevel::debug},
                                     {"info", LogLevel::info},
                                     {"warning", LogLevel::warning},
                                     {"error", LogLevel::error}};

// The readers have let pass what the schema lists; a word without a value here is a bug and throws.
template <typename Enum, std::size_t count>
Enum meaning(const Placed<std::string_view>& word, const Word<Enum> (&words)[count]) {
    for (const Word<Enum>& known : words)
        if (known.text == word.value.value()) return known.value;
    throw std::logic_error("a word of the schema has no value");
}

std::uint32_t number(const Placed<std::int64_t>& placed) {
    return static_cast<std::uint32_t>(placed.value.value());
}

std::uint16_t port(const Placed<std::int64_t>& placed) {
    return static_cast<std::uint16_t>(placed.value.value());
}

SessionLimits limits_of(const ServiceDraft& draft, Protocol protocol) {
    const auto limit = [](const Placed<std::int64_t>& placed) { return Seconds(*placed.value); };
    if (protocol == Protocol::udp)
        return {limit(draft.udp_limits[0]), limit(draft.udp_limits[1]), limit(draft.udp_limits[1])};
    return {limit(draft.tcp_limits[0]), limit(draft.tcp_limits[1]), limit(draft.tcp_limits[2])};
}

ServiceConfig service_of(const ServiceDraft& draft) {
    ServiceConfig service;
    service.name = *draft.name.value;
    service.vip = *draft.vip.value;
    service.port = port(draft.port);
    service.protocol = meaning(draft.protocol, protocols);
    service.affinity = meaning(draft.affinity, affinities);
    service.unknown = meaning(draft.unknown, unknowns);
    service.ring_size = number(draft.ring_size);
    service.limits = limits_of(draft, service.protocol);
    for (const BackendDraft& backend : draft.backends)
        service.backends.push_back({backend.name.value.value_or(backend.address.value->to_string()),
                                    *backend.address.value,
                                    backend.port.written ? port(backend.port) : service.port,
                                    number(backend.weight)});
    return service;
}

// Only of a draft without errors.
Config config_of(const Draft& draft, std::string_view host_name) {
    Config config;
    config.node.name = draft.name.value.value_or(std::string(host_name));
    for (const auto& interface : draft.interfaces)
        config.node.interfaces.push_back(*interface.value);
    config.node.xdp_mode = meaning(draft.xdp_mode, xdp_modes);
    config.node.max_sessions = number(draft.max_sessions);
    config.node.max_sessions_v6 =
        number(draft.max_sessions_v6.written ? draft.max_sessions_v6 : draft.max_sessions);
    for (const VipDraft& vip : draft.vips)
        config.vips.push_back({*vip.address.value, *vip.interface.value});
    std::transform(draft.services.begin(), draft.services.end(),
                   std::back_inserter(config.services), service_of);
    config.log.level = meaning(draft.level, levels);
    return config;
}

}  // namespace

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
    const Draft draft = read(documents, diagnostics);
    if (!draft.name.written && draft.whole && !is_name(host_name))
        diagnostics.add(draft.name.place, "the host name " + quoted(host_name) +
                                              " is no name for a node: set 'name' in [node]");
    check(draft, diagnostics);
    if (!diagnostics.empty()) return {{}, diagnostics.report()};
    return {config_of(draft, host_name), {}};
}

}  // namespace bascule::model
