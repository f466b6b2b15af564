// SPDX-License-Identifier: Apache-2.0
#include "health/program_user.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>

namespace bascule::health {

namespace {

// Far above what a user database holds for one user; beyond it something is wrong there.
constexpr std::size_t most_bytes = 1 << 20;
constexpr int most_groups = 65536;  // NGROUPS_MAX of Linux

Result<std::vector<gid_t>> groups_of(const std::string& name, gid_t gid) {
    std::vector<gid_t> groups(64);
    for (;;) {
        int count = static_cast<int>(groups.size());
        if (::getgrouplist(name.c_str(), gid, groups.data(), &count) >= 0) {
            groups.resize(static_cast<std::size_t>(count));
            return groups;
        }
        if (groups.size() >= most_groups) return failure("user \"" + name + "\": too many groups");
        groups.resize(groups.size() * 2);
    }
}

}  // namespace

bool ProgramUser::has_group(gid_t group) const {
    return std::find(groups.begin(), groups.end(), group) != groups.end();
}

Result<ProgramUser> find_user(const std::string& name) {
    std::vector<char> buffer(4096);
    passwd entry{};
    passwd* found = nullptr;
    int code = 0;
    while ((code = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found)) ==
               ERANGE &&
           buffer.size() < most_bytes)
        buffer.resize(buffer.size() * 2);
    // Some databases say "not found" by one of these (getpwnam(3)).
    const bool absent = code == 0 || code == ENOENT || code == ESRCH || code == EBADF;
    if (found == nullptr && absent) return failure("there is no user \"" + name + "\"");
    if (found == nullptr) return failure(Error::system("look up user \"" + name + "\"", code));

    ProgramUser user{name, entry.pw_uid, entry.pw_gid, {}};
    auto groups = groups_of(name, entry.pw_gid);
    if (!groups) return failure(std::move(groups).error());
    user.groups = std::move(*groups);
    return user;
}

}  // namespace bascule::health
