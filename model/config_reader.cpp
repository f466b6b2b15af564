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

bool is_repeatable(const TableSchema& schema, std::string_view key) {
    return std::any_of(schema.keys.begin(), schema.keys.end(), [&](const KeySchema& one) {
        return one.key == key && one.type == KeyType::tables;
    });
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
        // Only in a section that is merged from several files. Arrays of tables are taken together.
        if (first != seen.end() && !is_repeatable(*schema_, member->key))
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
        diagnostics_->add(member.place,
                          "unknown key " + quoted(member.key) + suggestion(member.key, words));
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
    diagnostics_->add(value.place, std::string(schema.key) + ": " + what +
                                       std::string(not_supported) + ", only " +
                                       listed(schema.choices) + " is");
}

void SectionReader::expect_only_for(std::string_view type) {
    for (const KeySchema& key : schema_->keys) {
        const Member* member = find(key.key);
        if (member == nullptr || key.only.empty() ||
            std::find(key.only.begin(), key.only.end(), type) != key.only.end())
            continue;
        const std::string nothing =
            ": with type = \"" + std::string(type) + "\" nothing is checked";
        diagnostics_->add(
            member->value.place,
            std::string(key.key) + (type == "none" ? nothing : ": only for " + joined(key.only)));
    }
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
    std::vector<SectionReader> all;
    for (const Member* member : members_)
        if (member->key == key) add_sections(*member, all);
    return all;
}

void SectionReader::add_sections(const Member& member, std::vector<SectionReader>& all) {
    const KeySchema& schema = key_schema(*schema_, member.key);
    const TableSchema& inner = inner_schema(member.key);
    const auto* array = member.value.as<Array>();
    if (array == nullptr) {
        wrong(schema, member.value, "an array of tables (" + header(inner) + ")");
        return;
    }
    for (const Value& element : *array) {
        if (const auto* table = element.as<Table>())
            all.emplace_back(inner, element.place, members_of(*table), *diagnostics_);
        else
            wrong(schema, element, "a table (" + header(inner) + ")");
    }
}

}  // namespace bascule::model
