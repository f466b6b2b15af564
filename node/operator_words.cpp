// SPDX-License-Identifier: Apache-2.0
#include "node/operator_words.h"

#include <spdlog/spdlog.h>

namespace bascule::node {

OperatorWords::OperatorWords(std::shared_ptr<SharedState> shared) : shared_(std::move(shared)) {
    std::vector<std::string> keys;
    for (auto& item : shared_->of_kind(operator_word_kind))
        keys.push_back(std::move(item.key));
    follow(keys);
}

const OperatorWord* OperatorWords::find(const BackendName& backend) const {
    const auto found = words_.find(backend);
    return found == words_.end() ? nullptr : &found->second;
}

Result<void> OperatorWords::set(const BackendName& backend, const OperatorWord& word) {
    const std::string key = key_of_word(backend);
    auto said = word.says_nothing() ? shared_->remove(key) : shared_->put(key, value_of_word(word));
    if (said) read(key, backend);
    return said;
}

std::vector<BackendName> OperatorWords::follow(const std::vector<std::string>& keys) {
    std::vector<BackendName> changed;
    for (const auto& key : keys) {
        if (!key.starts_with(std::string(operator_word_kind) + "/")) continue;
        auto backend = backend_of_word(key);
        if (!backend) {
            spdlog::warn("{}: names no backend, and is left alone", key);
            continue;
        }
        if (read(key, *backend)) changed.push_back(*std::move(backend));
    }
    return changed;
}

bool OperatorWords::read(const std::string& key, const BackendName& backend) {
    OperatorWord now;
    if (const auto* item = shared_->find(key)) {
        auto word = read_word(item->value);
        if (word)
            now = *word;
        else
            spdlog::warn("{}, said on {}: is not understood, and counts as not said: {}", key,
                         item->origin, word.error().text());
    }
    const auto before = words_.find(backend);
    if (now.says_nothing()) return words_.erase(backend) > 0;
    if (before != words_.end() && before->second == now) return false;
    words_[backend] = now;
    return true;
}

std::string OperatorWords::said_on(const BackendName& backend) const {
    const auto& items = shared_->map().items();
    const auto found = items.find(key_of_word(backend));
    return found == items.end() ? "" : found->second.origin;
}

}  // namespace bascule::node
