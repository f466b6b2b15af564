// SPDX-License-Identifier: Apache-2.0
#include "model/config_schema.h"

#include <algorithm>
#include <stdexcept>

#include "model/config_schema_tables.h"

namespace bascule::model {
namespace {

using enum KeyType;

constexpr KeySchema root_keys[] = {
    {.key = "node", .type = table},     {.key = "defaults", .type = table},
    {.key = "cluster", .type = table},  {.key = "vip", .type = tables},
    {.key = "service", .type = tables}, {.key = "log", .type = table},
    {.key = "hook", .type = table},     {.key = "lists", .type = later},
    {.key = "http", .type = table},
};

}  // namespace

std::span<const TableSchema> config_schema() {
    static const TableSchema schema[] = {
        {"", false, "", root_keys},
        node_table(),
        cluster_table(),
        cluster_node_table(),
        defaults_table(),
        vip_table(),
        service_table(),
        session_table(),
        health_table(),
        backend_table(),
        hook_table(),
        log_table(),
        http_table(),
    };
    return schema;
}

const TableSchema& table_schema(std::string_view path) {
    const auto schema = config_schema();
    const auto found = std::find_if(schema.begin(), schema.end(),
                                    [&](const TableSchema& one) { return one.path == path; });
    if (found == schema.end()) throw std::logic_error("no such table in the schema");
    return *found;
}

const KeySchema& key_schema(const TableSchema& table, std::string_view key) {
    const auto found = std::find_if(table.keys.begin(), table.keys.end(),
                                    [&](const KeySchema& one) { return one.key == key; });
    if (found == table.keys.end()) throw std::logic_error("no such key in the schema");
    return *found;
}

}  // namespace bascule::model
