// SPDX-License-Identifier: Apache-2.0
// Typed access to one table of the configuration, checked against the schema. Whatever is wrong
// goes to the diagnostics with its place; the caller gets no value then and goes on.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "model/config_schema.h"
#include "model/config_text.h"
#include "model/config_tree.h"

namespace bascule::model {

// A value and where it was written; that of a default, or of what is missing, is its table's.
template <typename T>
struct Placed {
    std::optional<T> value;
    Place place;
    bool written = false;
};

using Texts = std::vector<Placed<std::string>>;

// Of a table whose keys are names that the schema does not know.
struct NamedInteger {
    Placed<std::string> name;
    Placed<std::int64_t> number;
};
using NamedIntegers = std::vector<NamedInteger>;

class SectionReader {
public:
    // Reports keys that the schema does not know or does not support yet, and keys written twice;
    // required keys that are missing only when `whole`.
    SectionReader(const TableSchema& schema, Place place, std::vector<const Member*> members,
                  Diagnostics& diagnostics, bool whole = true);

    Place place() const { return place_; }

    // `key` is one of the schema; the accessor fits its type.
    Placed<std::string> text(std::string_view key);  // name, interface
    Placed<std::int64_t> integer(std::string_view key);
    Placed<PortRange> ports(std::string_view key);
    Placed<std::int64_t> seconds(std::string_view key);
    Placed<std::string_view> choice(std::string_view key);  // choice, boolean: as in the schema
    Placed<Address> address(std::string_view key);          // address, prefix
    Placed<TunnelSource> tunnel_source(std::string_view key);
    Texts interfaces(std::string_view key);
    Placed<std::int64_t> milliseconds(std::string_view key);
    Placed<std::string> bytes(std::string_view key);  // text, hex (as the bytes it stands for)
    Placed<std::string> file(std::string_view key);
    Placed<Texts> texts(std::string_view key);  // texts, command
    Placed<std::vector<StatusRange>> status(std::string_view key);
    Placed<Address> network(std::string_view key);  // network_v4, network_v6
    // Elements that cannot be read have no value; none at all when it is no array, or of a wrong
    // length.
    Placed<std::vector<Placed<Address>>> addresses(std::string_view key);
    Placed<std::vector<Placed<Endpoint>>> endpoints(std::string_view key);
    Placed<Endpoint> listen(std::string_view key);
    // Those that are no such integers have no value.
    Placed<NamedIntegers> priorities(std::string_view key);
    // The table at `key`; an empty one where none is written.
    SectionReader section(std::string_view key);
    std::vector<SectionReader> sections(std::string_view key);
    // Reports what is written at `key` when it is no table.
    void expect_table(std::string_view key);
    // Reports the keys that are written and not for this type of checks.
    void expect_only_for(std::string_view type);

private:
    const Member* find(std::string_view key) const;
    std::string path_of(std::string_view key) const;
    const TableSchema& inner_schema(std::string_view key) const;
    template <typename T>
    Placed<T> start(const Member* member) const {
        if (member == nullptr) return {{}, place_, false};
        return {{}, member->value.place, true};
    }
    void wrong(const KeySchema& schema, const Value& value, std::string_view expected);
    void not_yet(const KeySchema& schema, const Value& value);
    void check_keys();
    void check_key(const Member& member);
    void add_sections(const Member& member, std::vector<SectionReader>& all);

    bool fits_length(const KeySchema& schema, const Value& value, std::size_t size,
                     std::string_view what);
    std::optional<std::string> element(const KeySchema& schema, const Value& value);
    // `expected`: of a text that `parse` does not take, what should be there instead.
    template <typename T, typename Expected, typename Parse>
    Placed<std::vector<Placed<T>>> list(std::string_view key, std::string_view what,
                                        Expected expected, Parse parse);

    const TableSchema* schema_;
    Place place_;
    std::vector<const Member*> members_;
    Diagnostics* diagnostics_;
};

std::vector<const Member*> members_of(const Table& table);

}  // namespace bascule::model
