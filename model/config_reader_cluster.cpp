// SPDX-License-Identifier: Apache-2.0
// What the tables of the cluster take: lists of addresses and of endpoints.
#include "model/config_reader.h"

namespace bascule::model {

template <typename T, typename Parse>
Placed<std::vector<Placed<T>>> SectionReader::list(std::string_view key, std::string_view what,
                                                   std::string_view one, Parse parse) {
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
        if (!parsed) wrong(schema, value, one);
        found.push_back({parsed, value.place, true});
    }
    result.value = std::move(found);
    return result;
}

Placed<std::vector<Placed<Address>>> SectionReader::addresses(std::string_view key) {
    return list<Address>(key, "addresses, such as [\"10.9.0.1\"]", "an IPv4 or IPv6 address",
                         [](const std::string& text) { return Address::parse(text); });
}

Placed<std::vector<Placed<Endpoint>>> SectionReader::endpoints(std::string_view key) {
    return list<Endpoint>(
        key, "addresses, such as [\"10.9.0.11:7400\"]",
        "an address with its port, such as \"10.9.0.11:7400\" or \"[fd00::1]:7400\", or without",
        [](const std::string& text) { return parse_endpoint(text, cluster_port); });
}

}  // namespace bascule::model
