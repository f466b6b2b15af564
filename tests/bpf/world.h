// SPDX-License-Identifier: Apache-2.0
// A place for the engine that nobody else sees and that leaves nothing behind.
#pragma once

#include "base/result.h"

namespace bascule::test {

// Where the private bpffs is mounted.
inline constexpr const char* private_bpffs = "/sys/fs/bpf";
// Two ends of a veth pair, down, so that no packet but the test's meets the program. The first has
// the address `our_mac`.
inline constexpr const char* first_interface = "lb0";
inline constexpr const char* second_interface = "lb1";

// Moves the process into mount and network namespaces of its own, with a bpffs and the two
// interfaces. They go with the process, however it ends. To be called once, before the first
// thread is made. Needs root.
Result<void> enter_private_world();

// The same for main(): says why when it fails, and gives the exit status.
int fail_without_private_world(const Error& error);

}  // namespace bascule::test
