// SPDX-License-Identifier: Apache-2.0
// Every key of the configuration: its type, default, range and meaning. The reader checks files
// against it, and docs/reference/configuration.md and bascule.toml(5) are printed from it, so none
// can drift.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bascule::model {

enum class KeyType {
    name,       // 1..63 of A-Z a-z 0-9 . _ -
    interface,  // a Linux interface name
    interfaces,
    integer,
    ports,  // an integer, a range or "any"
    boolean,
    seconds,       // a duration, in whole seconds
    milliseconds,  // a duration
    text,          // any bytes; `least` and `most` are of its length
    hex,           // such bytes, two digits each
    texts,         // an array of texts; `least` and `most` are of its length
    command,       // an array of an absolute path and its arguments
    file,          // an absolute path
    status,        // an integer, or ranges of HTTP status codes
    choice,
    address,
    prefix,     // an address, with or without a prefix length
    source_v4,  // the same of one family; `least` and `most` are of its prefix length
    source_v6,
    network_v4,  // with a prefix length of `least`
    network_v6,
    addresses,   // an array of addresses; `least` and `most` are of its length
    endpoints,   // an array of addresses, each with a port or without; likewise
    listen,      // an address with a port or without
    priorities,  // a table of integers by names of nodes; `least` and `most` are of each
    table,
    tables,
    later,  // known, but not supported by this version
};

struct KeySchema {
    std::string_view key;
    KeyType type;
    std::string_view meaning = {};
    bool required = false;
    std::string_view fallback = {};  // default as written in a file, without quotes; or in prose
    std::int64_t least = 0;          // integer; seconds; milliseconds
    std::int64_t most = 0;
    std::span<const std::string_view> choices = {};        // choice
    std::span<const std::string_view> later_choices = {};  // known, but not supported yet
    std::span<const std::string_view> only = {};  // types of checks that have it; empty: all
    // What is told of the values where the type cannot tell it, as Markdown.
    std::string_view value = {};
};

struct TableSchema {
    std::string_view path;  // "service.backend"; empty: the file itself
    bool repeated;          // [[...]]
    std::string_view meaning;
    std::span<const KeySchema> keys;
};

std::span<const TableSchema> config_schema();

// Both are for names that stand in the schema; others are a bug and throw std::logic_error.
const TableSchema& table_schema(std::string_view path);
const KeySchema& key_schema(const TableSchema& table, std::string_view key);

}  // namespace bascule::model
