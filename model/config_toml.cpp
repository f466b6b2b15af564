// SPDX-License-Identifier: Apache-2.0
// From TOML text to the tree of config_tree.h. The one file that includes toml++.
#include <toml++/toml.h>

#include <algorithm>
#include <optional>

#include "model/config_tree.h"

namespace bascule::model {
namespace {

// toml++ counts columns in code points; editors and compilers count bytes.
class Places {
public:
    Places(std::string_view text, std::size_t file) : text_(text), file_(file) {
        starts_.push_back(text.starts_with("\xef\xbb\xbf") ? 3 : 0);
        for (std::size_t i = 0; i < text.size(); ++i)
            if (text[i] == '\n') starts_.push_back(i + 1);
    }

    Place of(const toml::source_position& position) const {
        if (position.line == 0 || position.line > starts_.size()) return {file_, 0, 0};
        const std::size_t start = starts_[position.line - 1];
        std::size_t at = start;
        for (toml::source_index left = 1; left < position.column && at < text_.size(); ++left) {
            ++at;
            while (at < text_.size() && (text_[at] & '\xc0') == '\x80')
                ++at;
        }
        return {file_, position.line, static_cast<std::uint32_t>(at - start + 1)};
    }

    Place at(std::size_t offset) const {
        const auto next = std::upper_bound(starts_.begin() + 1, starts_.end(), offset);
        const std::size_t start = *(next - 1);
        return {file_, static_cast<std::uint32_t>(next - starts_.begin()),
                static_cast<std::uint32_t>(offset - start + 1)};
    }

private:
    std::string_view text_;
    std::size_t file_;
    std::vector<std::size_t> starts_;  // of lines
};

// Just behind the string that opens at `at`.
std::size_t end_of_string(std::string_view text, std::size_t at) {
    const char quote = text[at];
    const std::string three(3, quote);
    const bool many_lines = text.substr(at, 3) == three;
    for (at += many_lines ? 3 : 1; at < text.size(); ++at) {
        if (text[at] == '\\' && quote == '"')
            ++at;
        else if (!many_lines && (text[at] == quote || text[at] == '\n'))
            return at + 1;
        else if (many_lines && text.substr(at, 3) == three)
            // Up to two more quotes belong to the text.
            return std::min(text.find_first_not_of(quote, at + 3), at + 5);
    }
    return text.size();
}

// Where a dotted key has more parts than any sane one. toml++ bounds the depth of arrays and inline
// tables, but makes a table within a table for each part of a key, and frees them by recursion.
std::optional<std::size_t> endless_key(std::string_view text) {
    constexpr std::size_t most_dots = 64;
    std::size_t dots = 0;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (c == '"' || c == '\'') {
            at = end_of_string(text, at);
            continue;
        }
        if (c == '#') {
            at = std::min(text.find('\n', at), text.size());
            continue;
        }
        if (std::string_view("\n=,[]{}").find(c) != std::string_view::npos) dots = 0;
        if (c == '.' && ++dots > most_dots) return at;
        ++at;
    }
    return {};
}

// Recursion is bounded: arrays and inline tables by toml++, keys by endless_key.
Value convert(const toml::node& node, const Places& places) {
    Value value{places.of(node.source().begin), Other{"nothing"}};
    switch (node.type()) {
        case toml::node_type::table: {
            Table table;
            for (const auto& [key, member] : *node.as_table())
                table.push_back({std::string(key.str()), places.of(key.source().begin),
                                 convert(member, places)});
            value.data = std::move(table);
            break;
        }
        case toml::node_type::array: {
            Array array;
            for (const toml::node& element : *node.as_array())
                array.push_back(convert(element, places));
            value.data = std::move(array);
            break;
        }
        case toml::node_type::string:
            value.data = node.as_string()->get();
            break;
        case toml::node_type::integer:
            value.data = node.as_integer()->get();
            break;
        case toml::node_type::floating_point:
            value.data = node.as_floating_point()->get();
            break;
        case toml::node_type::boolean:
            value.data = node.as_boolean()->get();
            break;
        case toml::node_type::date:
            value.data = Other{"a date"};
            break;
        case toml::node_type::time:
            value.data = Other{"a time"};
            break;
        case toml::node_type::date_time:
            value.data = Other{"a date and time"};
            break;
        case toml::node_type::none:
            break;
    }
    return value;
}

}  // namespace

Document parse_toml(std::string_view text, std::size_t file, Diagnostics& diagnostics) {
    const Places places(text, file);
    if (const auto offset = endless_key(text)) {
        diagnostics.add(places.at(*offset), "a key of too many parts");
        return {{}, false};
    }
    try {
        const toml::table root = toml::parse(text);
        Value value = convert(root, places);
        return {std::move(std::get<Table>(value.data)), true};
    } catch (const toml::parse_error& error) {
        diagnostics.add(places.of(error.source().begin), std::string(error.description()));
        return {{}, false};
    }
}

}  // namespace bascule::model
