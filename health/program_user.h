// SPDX-License-Identifier: Apache-2.0
// Whom a program runs as. Any thread; asks the host's user database, and so may wait for a network
// where users are not in /etc/passwd.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace bascule::health {

struct ProgramUser {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;  // all of them, `gid` too: as initgroups would set them

    bool has_group(gid_t group) const;
};

// Fails when there is no such user, naming it.
Result<ProgramUser> find_user(const std::string& name);

}  // namespace bascule::health
