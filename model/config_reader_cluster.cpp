// SPDX-License-Identifier: Apache-2.0
// Addresses with their ports, lists of addresses, priorities of nodes: what [cluster], [http] and
// [[vip]] take.
#include <algorithm>
#include <cctype>

#include "model/config_reader.h"

namespace bascule::model {

namespace {

// What is wrong with what is no endpoint, in words that tell what to write instead.
std::string expected_endpoint(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    const bool with_port = colon != std::string_view::npos;
    const std::string_view host = with_port ? text.substr(0, colon) : text;
    const auto with_another = parse_endpoint(std::string(host) + ":1", cluster_port);
    if (with_port && with_another && with_another->port == 1) return "a port from 1 to 65535";
    constexpr std::string_view of_names =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    const bool has_letter =
        std::any_of(host.begin(), host.end(), [](unsigned char c) { return std::isalpha(c) != 0; });
    if (has_letter && host.find_first_not_of(of_names) == std::string_view::npos)
        return "an address (a host name is none: write the address that it stands for)";
    return "an address with its port, such as \"10.9.0.11:7400\" or \"[fd00::1]:7400\", or "
           "without";
}

}  // namespace

template <typename T, typename Expected, typename Parse>
Placed<std::vector<Placed<T>>> SectionReader::list(std::string_view key, std::string_view what,
                                                   Expected expected, Parse parse) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<std::vector<Placed<T>>>(member);
    if (member == nullptr) return result;
    const auto* array = member->value.as<Array>();
    if (array == nullptr) {
        wrong(schema, member->value, "an array of " + std::string(what));
        return result;
    }
    if (!fits_length(schema, member->value, array->size(), "addresses")) return result;
    std::vector<Placed<T>> found;
    for (const Value& value : *array) {
        const auto* text = value.as<std::string>();
        std::optional<T> parsed;
        if (text != nullptr) parsed = parse(*text);
        if (!parsed) wrong(schema, value, expected(text == nullptr ? "" : *text));
        found.push_back({parsed, value.place, true});
    }
    result.value = std::move(found);
    return result;
}

Placed<std::vector<Placed<Address>>> SectionReader::addresses(std::string_view key) {
    return list<Address>(
        key, "addresses, such as [\"10.9.0.1\"]",
        [](std::string_view) { return "an IPv4 or IPv6 address"; },
        [](const std::string& text) { return Address::parse(text); });
}

Placed<std::vector<Placed<Endpoint>>> SectionReader::endpoints(std::string_view key) {
    return list<Endpoint>(
        key, "addresses, such as [\"10.9.0.11:7400\"]", expected_endpoint,
        [](const std::string& text) { return parse_endpoint(text, cluster_port); });
}

Placed<Endpoint> SectionReader::listen(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<Endpoint>(member);
    const auto* text = member == nullptr ? nullptr : member->value.as<std::string>();
    if (member == nullptr)
        result.value = parse_endpoint(schema.fallback, http_port);
    else if (text != nullptr)
        result.value = parse_endpoint(*text, http_port);
    if (!result.value)
        wrong(schema, member->value,
              "an address with a port from 1 to 65535, such as \"127.0.0.1:7401\" or "
              "\"[::1]:7401\", or without");
    return result;
}

Placed<NamedIntegers> SectionReader::priorities(std::string_view key) {
    const KeySchema& schema = key_schema(*schema_, key);
    const Member* member = find(key);
    auto result = start<NamedIntegers>(member);
    if (member == nullptr) return result;
    const auto* table = member->value.as<Table>();
    if (table == nullptr) {
        wrong(schema, member->value, "a table of nodes, such as { lb1 = 150, lb2 = 100 }");
        return result;
    }
    NamedIntegers found;
    for (const Member& one : *table) {
        const auto* number = one.value.as<std::int64_t>();
        const bool fits = number != nullptr && *number >= schema.least && *number <= schema.most;
        if (!fits)
            wrong(schema, one.value,
                  "an integer from " + std::to_string(schema.least) + " to " +
                      std::to_string(schema.most) + " for " + quoted(one.key));
        found.push_back({{one.key, one.place, true},
                         {fits ? std::optional(*number) : std::nullopt, one.value.place, true}});
    }
    result.value = std::move(found);
    return result;
}

}  // namespace bascule::model
