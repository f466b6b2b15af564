// SPDX-License-Identifier: Apache-2.0
// What libbpf and the kernel say when something fails, for the error that is returned.
//
// libbpf reports through one callback of the whole process; it is kept per thread here, so that
// what another thread does with libbpf does not get into this one's errors.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace bascule::dataplane {

// Collects what libbpf prints on this thread while it lives. Does not nest.
class LibbpfLog {
public:
    LibbpfLog();
    ~LibbpfLog();
    LibbpfLog(const LibbpfLog&) = delete;
    LibbpfLog& operator=(const LibbpfLog&) = delete;

    // The verifier's last lines, if it spoke: why it refused, and where.
    std::string verifier() const;
    // What the kernel said through netlink ("Peer MTU is too large to set XDP"); empty: nothing.
    std::string kernel_message() const;

private:
    std::string text_;
};

// `what` failed with errno `code`; says which capabilities are needed when it is about those.
Error bpf_error(std::string_view what, int code);

}  // namespace bascule::dataplane
