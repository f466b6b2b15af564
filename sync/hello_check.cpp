// SPDX-License-Identifier: Apache-2.0
#include "sync/hello_check.h"

#include <fmt/format.h>

namespace bascule::sync {

Result<void> check_hello(const Hello& theirs, const std::string& cluster, const std::string& self,
                         const std::string& peer) {
    if (theirs.cluster != cluster)
        return failure(
            fmt::format("{} is of the cluster {}, {} of {}", peer, theirs.cluster, self, cluster));
    if (theirs.node != peer)
        return failure(fmt::format("says it is {}, and has the key of {}", theirs.node, peer));
    if (theirs.needs > protocol_version)
        return failure(fmt::format("{} needs protocol {}, {} speaks {}: {} is to be upgraded", peer,
                                   theirs.needs, self, protocol_version, self));
    if (theirs.version < protocol_needs)
        return failure(fmt::format("{} speaks protocol {}, {} needs {}: {} is to be upgraded", peer,
                                   theirs.version, self, protocol_needs, peer));
    return {};
}

}  // namespace bascule::sync
