// SPDX-License-Identifier: Apache-2.0
// What the service may not do, so that whoever looks at its files with more rights finds what it
// would find. Thread: the main thread's, before others are there.
#pragma once

#include "base/result.h"

namespace bascule::node {

// Gives up, until this process ends, that root reads what belongs to others: basculed.service has
// neither CAP_DAC_OVERRIDE nor CAP_DAC_READ_SEARCH. Nothing for who has not had them.
Result<void> read_as_the_service();

}  // namespace bascule::node
