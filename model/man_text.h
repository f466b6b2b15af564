// SPDX-License-Identifier: Apache-2.0
// Parts of manual pages in mdoc(7), made of a schema and its simple Markdown. Pure.
#pragma once

#include <string>
#include <string_view>

#include "model/config_schema.h"

namespace bascule::model {

// Licence, date, title and system; `title` is "bascule.toml", of section 5.
std::string man_head(std::string_view title);
// Running text, a sentence a line; `code` is bold, [text](address) is "text (address)".
std::string man_text(std::string_view markdown);
// Lines as they stand, indented.
std::string man_literal(std::string_view text);
// The table's name as a heading, its meaning, and what each key takes and means.
std::string man_section(const TableSchema& table);

}  // namespace bascule::model
