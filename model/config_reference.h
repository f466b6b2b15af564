// SPDX-License-Identifier: Apache-2.0
// Documents printed from the schema: the reference in Markdown, the manual page in mdoc(7).
// Meanings in a schema are Markdown of a simple kind: `code` and [text](address). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/config_schema.h"

namespace bascule::model {

// Markdown, as in a table: "integer, 1 to 65535".
std::string key_value(const KeySchema& key);
// "required", "`\"auto\"`", "the host name".
std::string key_default(const KeySchema& key);
// What goes before the meaning where only some checks have the key; else nothing.
std::string key_only(const KeySchema& key);

// A heading, the meaning of the table, a row for each key.
std::string reference_section(const TableSchema& table);
// What the schema knows and the program refuses, as "service.flood" or "vip.announce = `\"bgp\"`".
std::vector<std::string> keys_to_come();

// docs/reference/configuration.md.
std::string config_reference();
// docs/man/bascule.toml.5.
std::string config_man_page();
// The configuration that the manual page shows.
std::string_view config_man_example();

}  // namespace bascule::model
