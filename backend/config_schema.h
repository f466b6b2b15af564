// SPDX-License-Identifier: Apache-2.0
// Every key of backend.toml: its type, default, range and meaning. The reader checks files against
// it; the tables of docs/reference/backend.md and all of bascule-backend.toml(5) are printed from
// it.
#pragma once

#include <span>
#include <string>

#include "model/config_schema.h"

namespace bascule::backend {

extern const model::TableSchema root_schema;
extern const model::TableSchema server_schema;
extern const model::TableSchema vip_schema;
extern const model::TableSchema port_schema;

// Those with a heading in a file: all but the root.
std::span<const model::TableSchema* const> config_schema();

// Smallest MSS that an IPv4 or IPv6 header and 20 bytes of TCP options leave of a packet of 128.
inline constexpr std::int64_t least_mss = 88;
inline constexpr std::int64_t most_mss = 65475;

// The part of docs/reference/backend.md about keys.
std::string config_reference();
// docs/man/bascule-backend.toml.5.
std::string config_man_page();
// The configuration that the manual page shows.
std::string_view config_man_example();

}  // namespace bascule::backend
