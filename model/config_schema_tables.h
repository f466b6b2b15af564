// SPDX-License-Identifier: Apache-2.0
// The tables of the schema, a file for each group of them.
#pragma once

#include <cstddef>

#include "model/config.h"
#include "model/config_schema.h"

namespace bascule::model {

TableSchema node_table();
TableSchema defaults_table();
TableSchema vip_table();
TableSchema log_table();
TableSchema hook_table();
TableSchema http_table();

TableSchema cluster_table();
TableSchema cluster_node_table();

TableSchema service_table();
TableSchema session_table();
TableSchema backend_table();

TableSchema health_table();

// Words that several tables take.
inline constexpr std::string_view boolean_words[] = {"false", "true"};
inline constexpr std::string_view forward_words[] = {"l2", "ipip", "gue", "local"};

// An argument of a program, a header, a path: no sane one is longer.
inline constexpr std::int64_t longest_text = 1024;
inline constexpr std::int64_t most_arguments = 64;
inline constexpr std::size_t most_status_ranges = 32;
inline constexpr std::int64_t most_witnesses = 8;
inline constexpr std::int64_t most_priority = 255;

// Of the 32 bits beyond it a probe takes the last ones only; the rest are zero.
inline constexpr unsigned probe_prefix_v6 = 96;

}  // namespace bascule::model
