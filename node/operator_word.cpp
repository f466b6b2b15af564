// SPDX-License-Identifier: Apache-2.0
#include "node/operator_word.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "model/config.h"

namespace bascule::node {

namespace {

using Json = nlohmann::json;

bool stands_for_itself(char c) {
    return static_cast<unsigned char>(c) >= ' ' && c != '\x7f' && c != '/' && c != '%';
}

// A name as a part of a key: what would divide it stands as %XX.
std::string escaped(const std::string& name) {
    std::string text;
    for (const char c : name)
        if (stands_for_itself(c))
            text += c;
        else
            text += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    return text;
}

// Nullopt: not as escaped() writes it.
std::optional<std::string> unescaped(std::string_view text) {
    std::string name;
    for (std::size_t i = 0; i < text.size(); i++) {
        if (text[i] != '%') {
            name += text[i];
            continue;
        }
        unsigned code = 0;
        if (text.size() < i + 3) return std::nullopt;
        const char* end = text.data() + i + 3;
        const auto read = std::from_chars(text.data() + i + 1, end, code, 16);
        if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
        name += static_cast<char>(code);
        i += 2;
    }
    // Two keys for one backend would say two things of it.
    if (name.empty() || escaped(name) != text) return std::nullopt;
    return name;
}

// get<>() alone would take -1 and 1e9, and make something else of them. What it is instead is not
// quoted: a peer's may fill many a page.
std::uint32_t weight_from(const Json& json) {
    if (!json.is_number_unsigned() || json.get<std::uint64_t>() > model::most_weight)
        throw Json::other_error::create(500, "a weight is 0 to 65535", &json);
    return json.get<std::uint32_t>();
}

// The same of 1e300, which is not even defined.
std::int64_t moment_from(const Json& json) {
    if (!json.is_number_integer())
        throw Json::other_error::create(500, "it was said at no moment in seconds", &json);
    return json.get<std::int64_t>();
}

}  // namespace

std::string key_of_word(const BackendName& backend) {
    return std::string(operator_word_kind) + "/" + escaped(backend.first) + "/" +
           escaped(backend.second);
}

std::optional<BackendName> backend_of_word(const std::string& key) {
    const std::string kind = std::string(operator_word_kind) + "/";
    if (!key.starts_with(kind)) return std::nullopt;
    const std::string_view names = std::string_view(key).substr(kind.size());
    const std::size_t slash = names.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    auto service = unescaped(names.substr(0, slash));
    auto backend = unescaped(names.substr(slash + 1));
    if (!service || !backend) return std::nullopt;
    return BackendName(*std::move(service), *std::move(backend));
}

std::string in_words(const OperatorWord& word) {
    if (word.says_nothing()) return "as the file says";
    std::string text = word.disabled ? "disabled" : word.drained ? "drained" : "";
    if (word.weight)
        text += (text.empty() ? "" : ", ") + std::string("weight ") + std::to_string(*word.weight);
    return text;
}

std::string value_of_word(const OperatorWord& word) {
    Json json{{"drained", word.drained}, {"disabled", word.disabled}, {"said", word.unix_seconds}};
    if (word.weight) json["weight"] = *word.weight;
    return json.dump();
}

OperatorWord word_from_json(const Json& json) {
    OperatorWord word;
    if (json.contains("disabled")) word.disabled = json.at("disabled").get<bool>();
    word.drained = json.at("drained").get<bool>() && !word.disabled;
    word.unix_seconds = moment_from(json.at("said"));
    if (json.contains("weight")) word.weight = weight_from(json.at("weight"));
    return word;
}

Result<OperatorWord> read_word(const std::string& value) {
    try {
        return word_from_json(Json::parse(value));
    } catch (const Json::exception& error) {
        return failure(error.what());
    }
}

}  // namespace bascule::node
