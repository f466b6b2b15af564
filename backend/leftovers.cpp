// SPDX-License-Identifier: Apache-2.0
#include "backend/leftovers.h"

#include <algorithm>

#include "backend/companion.h"
#include "backend/files.h"
#include "backend/hooks.h"
#include "dataplane/bpffs.h"
#include "dataplane/interface.h"

namespace bascule::backend {

Result<Record> find_leftovers(Netlink& netlink, const std::string& bpffs,
                              const std::string& sysctl_file) {
    Record found;
    auto addresses = netlink.addresses();
    if (!addresses) return failure(std::move(addresses.error()));
    auto links = netlink.links();
    if (!links) return failure(std::move(links.error()));
    auto pins = dataplane::list_directory(bpffs);
    if (!pins) return failure(std::move(pins.error()));
    auto settings = read_file(sysctl_file);
    if (!settings) return failure(std::move(settings.error()));
    found.sysctl_file = *settings && is_own_sysctl_file(**settings);
    if (found.sysctl_file) found.sysctls = changes_of_file(**settings);
    const auto loopback = dataplane::index_of_interface("lo");
    for (const HostAddress& address : *addresses)
        if (loopback && address.ifindex == *loopback && address.origin == own_address_origin)
            found.addresses.push_back(address.address);
    for (const Link& link : *links) {
        HookedInterface hooked;
        hooked.name = link.name;
        hooked.ifindex = link.ifindex;
        const std::string pin = xdp_pin(bpffs, link.name);
        hooked.xdp = std::any_of(pins->begin(), pins->end(), [&](const std::string& name) {
            return bpffs + "/" + name == pin;
        });
        hooked.filter = link.is_ethernet && filter_program(link.ifindex) != 0;
        if (hooked.xdp || hooked.filter) found.interfaces.push_back(std::move(hooked));
    }
    return found;
}

}  // namespace bascule::backend
