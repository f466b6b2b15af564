// SPDX-License-Identifier: Apache-2.0
#include "node/earlier_words.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "node/files.h"
#include "node/operator_word.h"

namespace bascule::node {

namespace {

using Json = nlohmann::json;

constexpr std::size_t most_bytes = std::size_t{16} << 20;

sync::HybridTime time_of(const OperatorWord& word) {
    constexpr std::int64_t most_seconds = sync::latest_wall / 1000;
    return sync::hybrid_from(1000 * static_cast<sync::WallMilliseconds>(std::clamp(
                                        word.unix_seconds, std::int64_t{1}, most_seconds)));
}

// Throws nlohmann's exceptions on whatever is not as those releases wrote it.
std::vector<sync::SharedItem> from_json(const Json& json, const std::string& self) {
    std::vector<sync::SharedItem> items;
    if (json.at("version").get<int>() != 1)
        throw Json::other_error::create(500, "unknown version", &json);
    for (const auto& entry : json.at("words")) {
        const OperatorWord word = word_from_json(entry);
        sync::SharedItem item;
        item.key = key_of_word(
            {entry.at("service").get<std::string>(), entry.at("backend").get<std::string>()});
        item.value = value_of_word(word);
        item.time = time_of(word);
        item.origin = self;
        if (auto flaw = sync::flaw_of(item); !flaw.empty())
            throw Json::other_error::create(500, flaw, &entry);
        items.push_back(std::move(item));
    }
    return items;
}

}  // namespace

Result<EarlierWords> read_earlier_words(const std::string& path, const std::string& self) {
    auto text = read_small_file(path, most_bytes);
    if (!text) return failure(std::move(text.error()).within(path));
    if (!*text) return EarlierWords{};
    try {
        return EarlierWords{true, from_json(Json::parse(**text), self)};
    } catch (const Json::exception& error) {
        return failure(path + ": holds what the operator said (drain, disable, weight) and " +
                       "cannot be understood: " + error.what() +
                       ". Mend it, or remove it to forget it all");
    }
}

}  // namespace bascule::node
