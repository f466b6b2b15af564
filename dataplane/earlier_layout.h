// SPDX-License-Identifier: Apache-2.0
// What a daemon whose tables have another layout left in the kernel: an upgrade meets it. Its
// tables cannot be read; its links can go on, so that no interface is without a program for a
// moment. Called while nothing else touches the pins.
#pragma once

#include "base/result.h"
#include "dataplane/bpffs.h"

namespace bascule::dataplane {

// Links of other layouts become those of this one, under which the program is swapped like that of
// an earlier process; those whose interface is gone go, too. One that hangs on an interface while
// another does so under its name, since it was renamed, is taken off. True when there is another
// layout, also one whose links were had before. May be repeated after a death at any point.
Result<bool> inherit_links(const Pins& pins);
// Takes away what is left of other layouts, once their programs have been swapped. Until then it is
// what tells the next process that programs may go by tables that it cannot read.
Result<void> drop_other_layouts(const Pins& pins);

}  // namespace bascule::dataplane
