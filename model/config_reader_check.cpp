// SPDX-License-Identifier: Apache-2.0
// What the tables of checks and hooks take: durations, bytes, files, commands, status codes.
#include <algorithm>

#include "model/config_reader.h"
#include "model/config_schema_tables.h"

namespace bascule::model {
namespace {

std::string length_text(const KeySchema& schema) {
    return std::to_string(schema.least) + " to " + std::to_string(schema.most);
}

bool is_path(const std::string& text) {
    return text.starts_with('/') && text.find('\0') == std::string::npos &&
           text.size() <= static_cast<std::size_t>(longest_text);
}

}  // namespace

Placed<std::int64_t> SectionReader::milliseconds(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<std::int64_t>(member);
    if (member == nullptr) {
        // A default in words is the caller's to find.
        if (const auto fallback = parse_duration(schema.fallback)) result.value = fallback->count();
        return result;
    }
    const auto* text = member->value.as<std::string>();
    const auto duration = text == nullptr ? std::nullopt : parse_duration(*text);
    if (!duration)
        wrong(schema, member->value, "a duration with its unit, such as \"500ms\" or \"5s\"");
    else if (duration->count() < schema.least || duration->count() > schema.most)
        wrong(schema, member->value,
              "a duration from " + duration_text(Milliseconds(schema.least)) + " to " +
                  duration_text(Milliseconds(schema.most)));
    else
        result.value = duration->count();
    return result;
}

bool SectionReader::fits_length(const KeySchema& schema, const Value& value, std::size_t size,
                                std::string_view what) {
    if (size >= static_cast<std::size_t>(schema.least) &&
        size <= static_cast<std::size_t>(schema.most))
        return true;
    diagnostics_->add(value.place, std::string(schema.key) + ": expected " + length_text(schema) +
                                       ' ' + std::string(what) + ", found " + std::to_string(size));
    return false;
}

Placed<std::string> SectionReader::bytes(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<std::string>(member);
    if (member == nullptr) return result;
    const bool is_hex = schema.type == KeyType::hex;
    const auto* text = member->value.as<std::string>();
    std::optional<std::string> found;
    if (text != nullptr) found = is_hex ? parse_hex(*text) : *text;
    if (!found)
        wrong(schema, member->value,
              is_hex ? "pairs of hexadecimal digits, such as \"0d 0a\"" : "a string");
    else if (fits_length(schema, member->value, found->size(), "bytes"))
        result.value = std::move(found);
    return result;
}

Placed<std::string> SectionReader::file(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<std::string>(member);
    if (member == nullptr) return result;
    const auto* text = member->value.as<std::string>();
    if (text != nullptr && is_path(*text))
        result.value = *text;
    else
        wrong(schema, member->value, "the absolute path of a file");
    return result;
}

std::optional<std::string> SectionReader::element(const KeySchema& schema, const Value& value) {
    const auto* text = value.as<std::string>();
    const bool too_long = text != nullptr && text->size() > static_cast<std::size_t>(longest_text);
    if (text == nullptr || too_long) {
        wrong(schema, value,
              text == nullptr ? "a string" : "at most " + std::to_string(longest_text) + " bytes");
        return {};
    }
    if (text->find('\0') != std::string::npos) {
        diagnostics_->add(value.place,
                          std::string(schema.key) + ": " + quoted(*text) + " has a zero byte");
        return {};
    }
    return *text;
}

Placed<Texts> SectionReader::texts(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<Texts>(member);
    if (member == nullptr) return result;
    const bool is_command = schema.type == KeyType::command;
    const auto* array = member->value.as<Array>();
    if (array == nullptr) {
        wrong(schema, member->value,
              is_command ? "an array of a program and its arguments, such as [\"/usr/bin/true\"]"
                         : "an array of strings");
        return result;
    }
    bool all_good = fits_length(schema, member->value, array->size(), "strings");
    Texts texts;
    for (const Value& value : *array) {
        auto text = element(schema, value);
        if (text && is_command && texts.empty() && !is_path(*text)) {
            wrong(schema, value, "the absolute path of a program");
            text.reset();
        }
        all_good = all_good && text;
        texts.push_back({std::move(text), value.place, true});
    }
    if (all_good) result.value = std::move(texts);
    return result;
}

Placed<std::vector<StatusRange>> SectionReader::status(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<std::vector<StatusRange>>(member);
    if (member == nullptr) {
        result.value = parse_status(schema.fallback);
        return result;
    }
    const auto* text = member->value.as<std::string>();
    const auto* code = member->value.as<std::int64_t>();
    if (text != nullptr) result.value = parse_status(*text);
    if (code != nullptr) result.value = parse_status(std::to_string(*code));
    if (!result.value || result.value->size() > most_status_ranges) {
        wrong(schema, member->value,
              "status codes from 100 to 599, such as 200 or \"200-299,304\"");
        result.value.reset();
    }
    return result;
}

Placed<Address> SectionReader::network(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<Address>(member);
    const auto* text = member == nullptr ? nullptr : member->value.as<std::string>();
    const auto network = member != nullptr && text == nullptr
                             ? std::nullopt
                             : parse_network(text == nullptr ? schema.fallback : *text);
    const bool v4 = schema.type == KeyType::network_v4;
    if (network && network->address.is_v4() == v4 && network->prefix_length == schema.least &&
        is_network(*network))
        result.value = network->address;
    else if (member != nullptr)
        wrong(schema, member->value,
              std::string(v4 ? "an IPv4" : "an IPv6") + " network of prefix length /" +
                  std::to_string(schema.least) + ", such as \"" + std::string(schema.fallback) +
                  '"');
    return result;
}

}  // namespace bascule::model
