// SPDX-License-Identifier: Apache-2.0
// A configuration file as a tree of values with places: all that the rest of the configuration
// code knows of TOML.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/config.h"

namespace bascule::model {

struct Place {
    std::size_t file = 0;  // index into the sources
    std::uint32_t line = 0;
    std::uint32_t column = 0;

    auto operator<=>(const Place&) const = default;
};

struct Member;
struct Value;
using Table = std::vector<Member>;
using Array = std::vector<Value>;
struct Other {
    std::string_view kind;  // "a date", ...
};

struct Value {
    Place place;
    std::variant<std::string, std::int64_t, double, bool, Other, Array, Table> data;

    template <typename T>
    const T* as() const {
        return std::get_if<T>(&data);
    }
    // "a string", "an integer", ...
    std::string_view kind() const;
};

struct Member {
    std::string key;
    Place place;  // of the key
    Value value;
};

// Collects what is wrong, in any order and without end; the report is sorted and bounded.
class Diagnostics {
public:
    explicit Diagnostics(const std::vector<SourceText>& sources) : sources_(sources) {}

    void add(Place place, std::string message);
    bool empty() const { return found_.empty(); }
    std::string to_string(Place place) const;  // "file:line"
    Origin origin(Place place) const;
    std::vector<Diagnostic> report() const;

private:
    struct Found {
        Place place;
        std::string message;
    };
    const std::vector<SourceText>& sources_;
    std::vector<Found> found_;
};

struct Document {
    Table root;
    bool whole = true;  // false: cut short by a syntax error, which is reported
};

// The one user of toml++.
Document parse_toml(std::string_view text, std::size_t file, Diagnostics& diagnostics);

}  // namespace bascule::model
