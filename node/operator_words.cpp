// SPDX-License-Identifier: Apache-2.0
#include "node/operator_words.h"

#include <nlohmann/json.hpp>

#include "model/config.h"
#include "node/files.h"

namespace bascule::node {

namespace {

using Json = nlohmann::json;

constexpr std::size_t most_bytes = std::size_t{16} << 20;
constexpr int format_version = 1;

Json to_json(const std::map<BackendName, OperatorWord>& words) {
    Json list = Json::array();
    for (const auto& [backend, word] : words) {
        Json entry{{"service", backend.first},
                   {"backend", backend.second},
                   // Daemons that know no `disabled` keep at least new flows away.
                   {"drained", word.drained || word.disabled},
                   {"said", word.unix_seconds}};
        if (word.disabled) entry["disabled"] = true;
        if (word.weight) entry["weight"] = *word.weight;
        list.push_back(std::move(entry));
    }
    return {{"version", format_version}, {"words", std::move(list)}};
}

// get<>() alone would take -1 and 1e9, and make something else of them.
std::uint32_t weight_from(const Json& json) {
    if (!json.is_number_unsigned() || json.get<std::uint64_t>() > model::most_weight)
        throw Json::other_error::create(500, "a weight is 0 to 65535, not " + json.dump(), &json);
    return json.get<std::uint32_t>();
}

// Throws nlohmann's exceptions on whatever is not as to_json writes it.
std::map<BackendName, OperatorWord> from_json(const Json& json) {
    std::map<BackendName, OperatorWord> words;
    if (json.at("version").get<int>() != format_version)
        throw Json::other_error::create(500, "unknown version", &json);
    for (const auto& entry : json.at("words")) {
        OperatorWord word;
        if (entry.contains("disabled")) word.disabled = entry.at("disabled").get<bool>();
        word.drained = entry.at("drained").get<bool>() && !word.disabled;
        word.unix_seconds = entry.at("said").get<std::int64_t>();
        if (entry.contains("weight")) word.weight = weight_from(entry.at("weight"));
        words[{entry.at("service").get<std::string>(), entry.at("backend").get<std::string>()}] =
            word;
    }
    return words;
}

}  // namespace

Result<OperatorWords> OperatorWords::load(const std::string& state_dir) {
    OperatorWords words(state_dir + "/words.json");
    auto text = read_small_file(words.path_, most_bytes);
    if (!text) return failure(std::move(text.error()).within(words.path_));
    if (!*text) return words;
    try {
        words.words_ = from_json(Json::parse(**text));
    } catch (const Json::exception& error) {
        return failure(words.path_ +
                       ": holds what the operator said (drain, disable, weight) and cannot be " +
                       "understood: " + error.what() + ". Mend it, or remove it to forget it all");
    }
    return words;
}

const OperatorWord* OperatorWords::find(const BackendName& backend) const {
    const auto found = words_.find(backend);
    return found == words_.end() ? nullptr : &found->second;
}

Result<void> OperatorWords::set(const BackendName& backend, const OperatorWord& word) {
    auto next = words_;
    if (word.says_nothing())
        next.erase(backend);
    else
        next[backend] = word;
    if (auto written = write_file_whole(path_, to_json(next).dump(2) + "\n", 0640); !written)
        return failure(std::move(written.error()));
    words_ = std::move(next);
    return {};
}

}  // namespace bascule::node
