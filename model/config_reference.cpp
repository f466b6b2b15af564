// SPDX-License-Identifier: Apache-2.0
#include "model/config_reference.h"

#include "model/config_reader.h"

namespace bascule::model {
namespace {

constexpr std::size_t most_named = 6;  // of 7 types: what all checks have says nothing

std::string words(std::span<const std::string_view> list) {
    std::string text;
    for (const std::string_view word : list) {
        if (!text.empty()) text += ", ";
        text += "`\"" + std::string(word) + "\"`";
    }
    return text;
}

std::string range(const std::string& least, const std::string& most) {
    return least + " to " + most;
}

bool is_prose(const KeySchema& key) {
    return key.fallback.find(' ') != std::string_view::npos;
}

}  // namespace

std::string key_value(const KeySchema& key) {
    if (!key.value.empty()) return std::string(key.value);
    const auto integers = [&] {
        return range(std::to_string(key.least), std::to_string(key.most));
    };
    switch (key.type) {
        case KeyType::name:
            return "name: 1 to 63 letters, digits, `.`, `_`, `-`";
        case KeyType::interface:
            return "interface name";
        case KeyType::interfaces:
            return "array of " + integers() + " interface names";
        case KeyType::integer:
            return "integer, " + integers();
        case KeyType::boolean:
            return "boolean";
        case KeyType::ports:
            return "integer, 1 to 65535; a range such as `\"8000-8099\"`; `\"any\"`";
        case KeyType::seconds:
            return "duration, " + range(duration_text(key.least), duration_text(key.most));
        case KeyType::milliseconds:
            return "duration, " + range(duration_text(Milliseconds(key.least)),
                                        duration_text(Milliseconds(key.most)));
        case KeyType::text:
            return "text of " + integers() + " bytes";
        case KeyType::hex:
            return "hexadecimal digits of " + integers() + " bytes";
        case KeyType::texts:
            return "array of " + integers() + " texts";
        case KeyType::command:
            return "array of a program and its arguments, " + integers() + " in all";
        case KeyType::file:
            return "absolute path";
        case KeyType::status:
            return "integer, 100 to 599; ranges such as `\"200-299,304\"`";
        case KeyType::choice:
            return words(key.choices);
        case KeyType::address:
            return "IPv4 or IPv6 address";
        case KeyType::prefix:
            return "IPv4 or IPv6 address, with or without a prefix length";
        case KeyType::source_v4:
        case KeyType::source_v6:
            return std::string(key.type == KeyType::source_v4 ? "IPv4" : "IPv6") +
                   " address, or one with a prefix length of " + integers();
        case KeyType::network_v4:
        case KeyType::network_v6:
            return std::string(key.type == KeyType::network_v4 ? "IPv4" : "IPv6") + " network, /" +
                   std::to_string(key.least);
        case KeyType::addresses:
            return "array of " + integers() + " IPv4 or IPv6 addresses";
        case KeyType::endpoints:
            return "array of " + integers() + " addresses such as `\"10.9.0.11:7400\"`, " +
                   "`\"[fd00::1]:7400\"`; without a port: " + std::to_string(cluster_port);
        case KeyType::listen:
            return "address such as `\"127.0.0.1:7401\"`, `\"[::1]:7401\"`; without a port: " +
                   std::to_string(http_port);
        case KeyType::priorities:
            return "table of integers, " + integers() + ", by name of a node";
        case KeyType::table:
        case KeyType::tables:
        case KeyType::later:
            break;
    }
    return "table";
}

std::string key_default(const KeySchema& key) {
    if (key.required) return "required";
    if (is_prose(key)) return std::string(key.fallback);
    const bool is_string = key.type != KeyType::integer && key.type != KeyType::boolean;
    const std::string quote = is_string ? "\"" : "";
    return "`" + quote + std::string(key.fallback) + quote + "`";
}

std::string key_only(const KeySchema& key) {
    if (key.only.empty() || key.only.size() > most_named) return "";
    return "For " + joined(key.only) + ". ";
}

std::string reference_section(const TableSchema& table) {
    const std::string path(table.path);
    std::string text =
        "\n## `" + (table.repeated ? "[[" + path + "]]" : "[" + path + "]") + "`\n\n";
    text +=
        std::string(table.meaning) + "\n\n| key | value | default | meaning |\n|---|---|---|---|\n";
    for (const KeySchema& key : table.keys) {
        if (key.meaning.empty()) continue;
        text += "| `" + std::string(key.key) + "` | " + key_value(key) + " | " + key_default(key) +
                " | " + key_only(key) + std::string(key.meaning) + " |\n";
    }
    return text;
}

std::vector<std::string> keys_to_come() {
    std::vector<std::string> found;
    for (const TableSchema& table : config_schema()) {
        const std::string prefix = table.path.empty() ? "" : std::string(table.path) + '.';
        for (const KeySchema& key : table.keys) {
            const std::string name = "`" + prefix + std::string(key.key) + "`";
            if (key.type == KeyType::later) found.push_back(name);
            if (key.type == KeyType::choice && !key.later_choices.empty())
                found.push_back(name + " = " + words(key.later_choices));
        }
    }
    return found;
}

std::string config_reference() {
    std::string text =
        "# Configuration reference\n\n"
        "<!-- Generated: build/release/bin/config_reference > docs/reference/configuration.md "
        "-->\n\n"
        "`/etc/bascule/bascule.toml`, then `/etc/bascule/conf.d/*.toml` in the order of their "
        "names, "
        "in [TOML](https://toml.io). The `[[...]]` tables of all files are taken together; a key "
        "of "
        "`[node]`, `[cluster]`, `[defaults]`, `[hook]`, `[log]` or `[http]` may be set in one file "
        "only. "
        "`bascule check` "
        "reports "
        "every error of "
        "every file with its place.\n";
    for (const TableSchema& table : config_schema())
        if (!table.path.empty()) text += reference_section(table);
    text +=
        "\n## Known, but not supported by this version\n\nThese are refused with a message that "
        "says so.\n\n";
    for (const std::string& key : keys_to_come())
        text += "- " + key + "\n";
    return text;
}

}  // namespace bascule::model
