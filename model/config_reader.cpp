// SPDX-License-Identifier: Apache-2.0
#include "model/config_reader.h"

#include <algorithm>

namespace bascule::model {
namespace {

constexpr std::string_view not_supported = " is not supported by this version";

std::string header(const TableSchema& schema) {
    const std::string path(schema.path);
    return schema.repeated ? "[[" + path + "]]" : "[" + path + "]";
}

bool is_one_of(std::span<const std::string_view> words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

std::optional<Address> address_in(std::string_view text) {
    const auto network = parse_network(text);
    if (!network) return {};
    return network->address;
}

}  // namespace

std::vector<const Member*> members_of(const Table& table) {
    std::vector<const Member*> members;
    for (const Member& member : table)
        members.push_back(&member);
    return members;
}

SectionReader::SectionReader(const TableSchema& schema, Place place,
                             std::vector<const Member*> members, Diagnostics& diagnostics,
                             bool whole)
    : schema_(&schema), place_(place), members_(std::move(members)), diagnostics_(&diagnostics) {
    check_keys();
    if (!whole) return;
    for (const KeySchema& key : schema.keys)
        if (key.required && find(key.key) == nullptr)
            diagnostics.add(place, "missing key " + quoted(key.key) + " in " + header(schema));
}

void SectionReader::check_keys() {
    std::vector<std::pair<std::string_view, Place>> seen;
    for (const Member* member : members_) {
        const auto first = std::find_if(seen.begin(), seen.end(),
                                        [&](const auto& s) { return s.first == member->key; });
        // Only in a section that is merged from several files.
        if (first != seen.end())
            diagnostics_->add(member->place, quoted(member->key) + " of " + header(*schema_) +
                                                 " is set already at " +
                                                 diagnostics_->to_string(first->second));
        else
            check_key(*member);
        // Unknown keys have no end; known ones do, and only they can matter twice.
        const bool known = std::any_of(schema_->keys.begin(), schema_->keys.end(),
                                       [&](const KeySchema& k) { return k.key == member->key; });
        if (known && first == seen.end()) seen.emplace_back(member->key, member->place);
    }
}

void SectionReader::check_key(const Member& member) {
    const auto known = std::find_if(schema_->keys.begin(), schema_->keys.end(),
                                    [&](const KeySchema& k) { return k.key == member.key; });
    if (known == schema_->keys.end()) {
        std::vector<std::string_view> words;
        for (const KeySchema& key : schema_->keys)
            words.push_back(key.key);
        diagnostics_->add(member.place, "unknown key " + quoted(member.key) +
                                            suggestion(member.key, std::move(words)));
    } else if (known->type == KeyType::later) {
        diagnostics_->add(member.place, path_of(member.key) + std::string(not_supported));
    }
}

std::string SectionReader::path_of(std::string_view key) const {
    if (schema_->path.empty()) return quoted(key);
    return quoted(key) + " in " + header(*schema_);
}

const Member* SectionReader::find(std::string_view key) const {
    const auto found = std::find_if(members_.begin(), members_.end(),
                                    [&](const Member* member) { return member->key == key; });
    return found == members_.end() ? nullptr : *found;
}

template <typename T>
Placed<T> SectionReader::start(const Member* member) const {
    if (member == nullptr) return {{}, place_, false};
    return {{}, member->value.place, true};
}

void SectionReader::wrong(const KeySchema& schema, const Value& value, std::string_view expected) {
    std::string found(value.kind());
    if (const auto* text = value.as<std::string>()) found = "the string " + quoted(*text);
    if (const auto* number = value.as<std::int64_t>())
        found = "the integer " + std::to_string(*number);
    diagnostics_->add(value.place, std::string(schema.key) + ": expected " + std::string(expected) +
                                       ", found " + found);
}

void SectionReader::not_yet(const KeySchema& schema, const Value& value) {
    std::string what = "this value";
    if (const auto* text = value.as<std::string>()) what = quoted(*text);
    if (const auto* flag = value.as<bool>()) what = *flag ? "true" : "false";
    diagnostics_->add(value.place,
                      std::string(schema.key) + ": " + what + std::string(not_supported));
}

Placed<std::string> SectionReader::text(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<std::string>(member);
    if (member == nullptr) return result;
    const auto* text = member->value.as<std::string>();
    const bool is_interface = schema.type == KeyType::interface;
    if (text != nullptr && (is_interface ? is_interface_name(*text) : is_name(*text)))
        result.value = *text;
    else
        wrong(schema, member->value,
              is_interface ? "the name of a network interface (1 to 15 characters)"
                           : "a name of 1 to 63 letters, digits, '.', '_' or '-'");
    return result;
}

Placed<std::int64_t> SectionReader::integer(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<std::int64_t>(member);
    if (member == nullptr) {
        result.value = parse_integer(schema.fallback);
        return result;
    }
    const auto* number = member->value.as<std::int64_t>();
    if (number != nullptr && *number >= schema.least && *number <= schema.most)
        result.value = *number;
    else
        wrong(schema, member->value,
              "an integer from " + std::to_string(schema.least) + " to " +
                  std::to_string(schema.most));
    return result;
}

Placed<PortRange> SectionReader::ports(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<PortRange>(member);
    if (member == nullptr) return result;
    const auto* number = member->value.as<std::int64_t>();
    const auto* text = member->value.as<std::string>();
    if (number != nullptr && *number >= 1 && *number <= 65535)
        result.value =
            PortRange{static_cast<std::uint16_t>(*number), static_cast<std::uint16_t>(*number)};
    else if (text != nullptr)
        result.value = parse_ports(*text);
    if (!result.value) {
        wrong(schema, member->value,
              "a port from 1 to 65535, a range such as \"8000-8099\", or \"any\"");
    } else if (result.value->first > result.value->last) {
        diagnostics_->add(member->value.place, std::string(key) + ": the range " + quoted(*text) +
                                                   " ends before it begins");
        result.value.reset();
    }
    return result;
}

Placed<std::int64_t> SectionReader::seconds(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<std::int64_t>(member);
    const auto* text = member == nullptr ? nullptr : member->value.as<std::string>();
    const auto duration = parse_duration(text != nullptr ? *text : schema.fallback);
    if (member != nullptr && (text == nullptr || !duration)) {
        wrong(schema, member->value, "a duration with its unit, such as \"90s\" or \"5m\"");
    } else if (duration->count() % 1000 != 0) {
        wrong(schema, member->value, "whole seconds");
    } else if (duration->count() / 1000 < schema.least || duration->count() / 1000 > schema.most) {
        wrong(
            schema, member->value,
            "a duration from " + duration_text(schema.least) + " to " + duration_text(schema.most));
    } else {
        result.value = duration->count() / 1000;
    }
    return result;
}

Placed<std::string_view> SectionReader::choice(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<std::string_view>(member);
    std::string_view word = schema.fallback;
    if (member != nullptr) {
        const auto* text = member->value.as<std::string>();
        const auto* flag = member->value.as<bool>();
        const bool is_flag = schema.type == KeyType::boolean;
        if (is_flag ? flag == nullptr : text == nullptr) {
            wrong(schema, member->value,
                  is_flag ? "true or false" : "one of " + listed(schema.choices));
            return result;
        }
        word = is_flag ? (*flag ? "true" : "false") : std::string_view(*text);
        if (is_one_of(schema.later_choices, word)) {
            not_yet(schema, member->value);
            return result;
        }
    }
    const auto found = std::find(schema.choices.begin(), schema.choices.end(), word);
    if (found != schema.choices.end())
        result.value = *found;
    else if (member != nullptr)
        diagnostics_->add(member->value.place,
                          std::string(key) + ": expected one of " + listed(schema.choices) +
                              ", found the string " + quoted(word) +
                              suggestion(word, {schema.choices.begin(), schema.choices.end()}));
    return result;
}

Placed<Address> SectionReader::address(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<Address>(member);
    if (member == nullptr) return result;
    if (const auto* text = member->value.as<std::string>())
        result.value = schema.type == KeyType::prefix ? address_in(*text) : Address::parse(*text);
    if (!result.value) wrong(schema, member->value, "an IPv4 or IPv6 address");
    return result;
}

Placed<TunnelSource> SectionReader::tunnel_source(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<TunnelSource>(member);
    if (member == nullptr) return result;
    const bool v4 = schema.type == KeyType::source_v4;
    const auto* text = member->value.as<std::string>();
    const auto network = text == nullptr ? std::nullopt : parse_network(*text);
    if (network && network->address.is_v4() == v4 && network->prefix_length >= schema.least &&
        network->prefix_length <= schema.most)
        result.value =
            TunnelSource{network->address, static_cast<std::uint8_t>(network->prefix_length)};
    else
        wrong(schema, member->value,
              std::string(v4 ? "an IPv4" : "an IPv6") + " address, alone or with a prefix length" +
                  " from /" + std::to_string(schema.least) + " to /" + std::to_string(schema.most));
    return result;
}

std::vector<Placed<std::string>> SectionReader::interfaces(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    if (member == nullptr) return {};
    const auto* array = member->value.as<Array>();
    if (array == nullptr) {
        wrong(schema, member->value, "an array of interface names, such as [\"eth0\"]");
        return {};
    }
    if (array->size() < static_cast<std::size_t>(schema.least) ||
        array->size() > static_cast<std::size_t>(schema.most))
        diagnostics_->add(member->value.place,
                          std::string(key) + ": expected " + std::to_string(schema.least) + " to " +
                              std::to_string(schema.most) + " interfaces, found " +
                              std::to_string(array->size()));
    std::vector<Placed<std::string>> names;
    for (const Value& element : *array) {
        const auto* text = element.as<std::string>();
        if (text != nullptr && is_interface_name(*text))
            names.push_back({*text, element.place, true});
        else
            wrong(schema, element, "the name of a network interface (1 to 15 characters)");
    }
    return names;
}

const TableSchema& SectionReader::inner_schema(std::string_view key) const {
    std::string path(schema_->path);
    if (!path.empty()) path += '.';
    return table_schema(path += key);
}

void SectionReader::expect_table(std::string_view key) {
    const Member* member = find(key);
    if (member != nullptr && member->value.as<Table>() == nullptr)
        wrong(key_schema(*schema_, key), member->value,
              "a table (" + header(inner_schema(key)) + ")");
}

SectionReader SectionReader::section(std::string_view key) {
    const TableSchema& inner = inner_schema(key);
    const Member* member = find(key);
    if (member == nullptr) return {inner, place_, {}, *diagnostics_, false};
    if (const auto* table = member->value.as<Table>())
        return {inner, member->place, members_of(*table), *diagnostics_};
    expect_table(key);
    return {inner, place_, {}, *diagnostics_, false};
}

std::vector<SectionReader> SectionReader::sections(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const TableSchema& inner = inner_schema(key);
    const Member* member = find(key);
    if (member == nullptr) return {};
    std::vector<SectionReader> all;
    const auto* array = member->value.as<Array>();
    if (array == nullptr) {
        wrong(schema, member->value, "an array of tables (" + header(inner) + ")");
        return {};
    }
    for (const Value& element : *array) {
        if (const auto* table = element.as<Table>())
            all.emplace_back(inner, element.place, members_of(*table), *diagnostics_);
        else
            wrong(schema, element, "a table (" + header(inner) + ")");
    }
    return all;
}

}  // namespace bascule::model
