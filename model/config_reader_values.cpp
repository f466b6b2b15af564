// SPDX-License-Identifier: Apache-2.0
// What most tables take: names, numbers, words, addresses.
#include <algorithm>

#include "model/config_reader.h"

namespace bascule::model {
namespace {

bool is_one_of(std::span<const std::string_view> words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

std::optional<Address> address_in(std::string_view text) {
    const auto network = parse_network(text);
    if (!network) return {};
    return network->address;
}

}  // namespace

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

Texts SectionReader::interfaces(std::string_view key) {
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
    Texts names;
    for (const Value& element : *array) {
        const auto* text = element.as<std::string>();
        if (text != nullptr && is_interface_name(*text))
            names.push_back({*text, element.place, true});
        else
            wrong(schema, element, "the name of a network interface (1 to 15 characters)");
    }
    return names;
}

}  // namespace bascule::model
