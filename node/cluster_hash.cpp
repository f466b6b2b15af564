// SPDX-License-Identifier: Apache-2.0
#include "node/cluster_hash.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include "model/config_tree.h"

namespace bascule::node {

namespace {

// The first 8 bytes of a SHA-256.
std::uint64_t hash_of(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    if (EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("SHA-256 fails");
    std::uint64_t value = 0;
    std::memcpy(&value, digest.data(), sizeof value);
    return value == 0 ? 1 : value;
}

// ---- the configuration -------------------------------------------------------------------------

bool is_of_all_nodes(std::string_view table, std::string_view key) {
    if (table.empty()) return key != "node" && key != "log" && key != "hook" && key != "http";
    if (table == "vip") return key != "interface";
    if (table == "cluster") return key != "key_file";
    return true;
}

std::string text_of(const model::Value& value);

// `name`: of the table, when it stands at the root.
std::string text_of(const model::Table& table, std::string_view name) {
    std::vector<std::string> members;
    for (const model::Member& member : table)
        if (is_of_all_nodes(name, member.key))
            members.push_back(fmt::format("{}={}", member.key, text_of(member.value)));
    std::sort(members.begin(), members.end());
    return fmt::format("{{{}}}", fmt::join(members, "\n"));
}

// Tables in a list (services, backends) mean the same in any order; values do not.
std::string text_of(const model::Array& array) {
    std::vector<std::string> elements;
    bool only_tables = true;
    for (const model::Value& element : array) {
        only_tables = only_tables && element.as<model::Table>() != nullptr;
        elements.push_back(text_of(element));
    }
    if (only_tables) std::sort(elements.begin(), elements.end());
    return fmt::format("[{}]", fmt::join(elements, "\n"));
}

std::string text_of(const model::Value& value) {
    if (const auto* text = value.as<std::string>())
        return fmt::format("\"{}:{}\"", text->size(), *text);
    if (const auto* number = value.as<std::int64_t>()) return fmt::format("{}", *number);
    if (const auto* number = value.as<double>()) return fmt::format("{}", *number);
    if (const auto* truth = value.as<bool>()) return *truth ? "true" : "false";
    if (const auto* array = value.as<model::Array>()) return text_of(*array);
    if (const auto* table = value.as<model::Table>()) return text_of(*table, "-");
    return "other";
}

// A table of the root as lines, each of which stands for itself: files add to each other's lists.
void add_lines(const model::Member& member, std::vector<std::string>& lines) {
    const auto add = [&](const model::Value& value) {
        const auto* table = value.as<model::Table>();
        lines.push_back(fmt::format(
            "{}:{}", member.key, table != nullptr ? text_of(*table, member.key) : text_of(value)));
    };
    const auto* array = member.value.as<model::Array>();
    if (array == nullptr) return add(member.value);
    std::for_each(array->begin(), array->end(), add);
}

// ---- rings -------------------------------------------------------------------------------------

bool takes_new_flows(const model::DesiredBackend& backend) {
    return backend.weight > 0 && backend.up && backend.next_hop.has_value();
}

// Backups count only when nobody else does, as in the ring.
std::string text_of(const model::DesiredService& service) {
    std::vector<std::string> members;
    for (const bool backups : {false, true}) {
        for (const auto& backend : service.backends)
            if (takes_new_flows(backend) && backend.backup == backups)
                members.push_back(fmt::format("{} {}", backend.key.to_string(), backend.weight));
        if (!members.empty()) break;
    }
    std::sort(members.begin(), members.end());
    return fmt::format("{} {} {}: {}", service.key.to_string(), service.ring_size,
                       static_cast<int>(service.options.affinity), fmt::join(members, ", "));
}

}  // namespace

std::uint64_t config_hash(const std::vector<model::SourceText>& sources) {
    std::vector<std::string> lines;
    model::Diagnostics diagnostics(sources);
    for (std::size_t file = 0; file < sources.size(); ++file) {
        const model::Document document = model::parse_toml(sources[file].text, file, diagnostics);
        if (!document.whole) lines.push_back(sources[file].text);
        for (const model::Member& member : document.root)
            if (is_of_all_nodes("", member.key)) add_lines(member, lines);
    }
    std::sort(lines.begin(), lines.end());
    return hash_of(fmt::format("{}", fmt::join(lines, "\n")));
}

std::uint64_t ring_hash(const model::Desired& desired, const std::array<std::uint64_t, 2>& secret) {
    std::vector<std::string> services;
    for (const auto& service : desired.services)
        services.push_back(text_of(service));
    std::sort(services.begin(), services.end());
    return hash_of(
        fmt::format("{:016x}{:016x}\n{}", secret[0], secret[1], fmt::join(services, "\n")));
}

}  // namespace bascule::node
