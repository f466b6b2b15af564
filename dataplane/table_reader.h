// SPDX-License-Identifier: Apache-2.0
// What stands in the config maps, read back as the model's values: adoption.
#pragma once

#include "dataplane/config_memory.h"
#include "model/tables.h"

namespace bascule::dataplane {

// To be called on repaired tables (ConfigWriter::repair). A ring that cannot be read (that takes
// CAP_SYS_ADMIN) is reported as one that no plan wants, so that the next plan makes it anew.
model::Tables read_tables(const ConfigMemory& memory);

}  // namespace bascule::dataplane
