// SPDX-License-Identifier: Apache-2.0
// What an earlier process left on this host, told by the marks that its things carry: for when the
// record is lost, as by a boot. How ARP settings were before, their file says; of the rest nothing
// does.
#pragma once

#include <string>

#include "backend/netlink.h"
#include "backend/record.h"

namespace bascule::backend {

// `bpffs`: where this program pins; `sysctl_file`: which it writes. Empty when there is nothing.
Result<Record> find_leftovers(Netlink& netlink, const std::string& bpffs,
                              const std::string& sysctl_file);

}  // namespace bascule::backend
