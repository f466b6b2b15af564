// SPDX-License-Identifier: Apache-2.0
// Holds a piece of code to asking the kernel for no interface by an ioctl: for a name that is not
// there such a question waits for modprobe.
#pragma once

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cstddef>
#include <thread>

namespace bascule::test {

// The ioctls that take an interface's name fail with EPERM in this thread from now on.
inline void forbid_name_ioctls() {
    constexpr unsigned first = 0x8913;  // SIOCGIFFLAGS
    constexpr unsigned last = 0x8970;   // SIOCETHTOOL and the like are below
    constexpr auto call = static_cast<unsigned>(offsetof(seccomp_data, nr));
    constexpr auto request = static_cast<unsigned>(offsetof(seccomp_data, args) + 8);
    constexpr unsigned load = BPF_LD | BPF_W | BPF_ABS;
    std::array<sock_filter, 7> program{{
        BPF_STMT(load, call),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_ioctl, 0, 4),
        BPF_STMT(load, request),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1U),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog filter{program.size(), program.data()};
    ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

// In a thread of its own, which is in the caller's network namespace.
template <typename Body>
void without_name_ioctls(Body body) {
    std::thread([&] {
        forbid_name_ioctls();
        body();
    }).join();
}

}  // namespace bascule::test
