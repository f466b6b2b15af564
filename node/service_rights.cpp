// SPDX-License-Identifier: Apache-2.0
#include "node/service_rights.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace bascule::node {

Result<void> read_as_the_service() {
    __user_cap_header_struct head{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> rights{};
    if (::syscall(SYS_capget, &head, rights.data()) != 0)
        return failure(Error::system("this process's rights cannot be read", errno));
    constexpr unsigned reads_all = 1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH;
    rights[0].effective &= ~reads_all;
    if (::syscall(SYS_capset, &head, rights.data()) != 0)
        return failure(Error::system("rights cannot be given up", errno));
    return {};
}

}  // namespace bascule::node
