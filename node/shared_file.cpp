// SPDX-License-Identifier: Apache-2.0
#include "node/shared_file.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

namespace bascule::node {

namespace {

using Json = nlohmann::json;

constexpr int format_version = 1;

// "1763837783000.7": milliseconds and counter. As one number it is beyond what many readers of JSON
// can hold.
std::string to_text(sync::HybridTime time) {
    return fmt::format("{}.{}", sync::milliseconds_of(time),
                       time & ((1U << sync::hybrid_counter_bits) - 1));
}

sync::HybridTime time_from(const Json& json) {
    const auto text = json.get<std::string>();
    const char* end = text.data() + text.size();
    std::uint64_t milliseconds = 0;
    std::uint64_t counter = 0;
    const auto first = std::from_chars(text.data(), end, milliseconds);
    if (first.ec == std::errc() && first.ptr != end && *first.ptr == '.') {
        const auto second = std::from_chars(first.ptr + 1, end, counter);
        if (second.ec == std::errc() && second.ptr == end &&
            milliseconds < sync::milliseconds_of(sync::latest_time) &&
            counter < 1U << sync::hybrid_counter_bits)
            return milliseconds << sync::hybrid_counter_bits | counter;
    }
    throw Json::other_error::create(500, "a time is MILLISECONDS.COUNTER, not " + json.dump(),
                                    &json);
}

Json to_json(const sync::SharedItem& item) {
    Json json{{"key", item.key}, {"time", to_text(item.time)}, {"origin", item.origin}};
    if (item.removed)
        json["removed"] = true;
    else
        json["value"] = item.value;
    if (item.expires != 0) json["expires"] = item.expires;
    return json;
}

sync::SharedItem item_from(const Json& json) {
    sync::SharedItem item;
    item.key = json.at("key").get<std::string>();
    item.time = time_from(json.at("time"));
    item.origin = json.at("origin").get<std::string>();
    item.removed = json.value("removed", false);
    if (!item.removed) item.value = json.at("value").get<std::string>();
    if (json.contains("expires")) {
        if (!json.at("expires").is_number_unsigned())
            throw Json::other_error::create(500, "an expiry is a number of milliseconds", &json);
        item.expires = json.at("expires").get<std::uint64_t>();
    }
    if (auto flaw = sync::flaw_of(item); !flaw.empty())
        throw Json::other_error::create(500, flaw, &json);
    return item;
}

// Throws nlohmann's exceptions on whatever is not as write_shared writes it; `where` is then what
// was being read.
SharedContents from_json(const Json& json, std::string& where) {
    SharedContents contents;
    where = "version";
    if (json.at("version").get<int>() != format_version)
        throw Json::other_error::create(500, "unknown version", &json);
    where = "clock";
    contents.clock = time_from(json.at("clock"));
    where = "forgotten";
    contents.forgotten = time_from(json.at("forgotten"));
    where = "cluster";
    contents.cluster = json.at("cluster").get<std::string>();
    where = "items";
    for (const auto& entry : json.at("items")) {
        where = fmt::format("item {}", contents.items.size() + 1);
        contents.items.push_back(item_from(entry));
    }
    where = "forgotten";
    if (contents.forgotten > contents.clock)
        throw Json::other_error::create(500, "it is later than the clock", &json);
    return contents;
}

}  // namespace

std::string write_shared(const sync::SharedMap& map, const std::string& cluster) {
    Json items = Json::array();
    for (const auto& [name, item] : map.items())
        items.push_back(to_json(item));
    return Json{{"version", format_version},
                {"clock", to_text(map.last_time())},
                {"forgotten", to_text(map.forgotten())},
                {"cluster", cluster},
                {"items", std::move(items)}}
               .dump(1) +
           "\n";
}

Result<SharedContents> read_shared(const std::string& text) {
    std::string where;
    try {
        return from_json(Json::parse(text), where);
    } catch (const Json::exception& error) {
        return failure((where.empty() ? "" : where + ": ") + error.what());
    }
}

}  // namespace bascule::node
