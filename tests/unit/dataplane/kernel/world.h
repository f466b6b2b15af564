// SPDX-License-Identifier: Apache-2.0
// Namespaces, a bpffs and interfaces of the test's own; all of it goes with the process, however
// that ends.
#pragma once

#include <cstdint>
#include <string>

namespace bascule::test {

// To be called once, before the first thread. False: not root, said on stderr.
bool enter_private_world();

// A new directory on the private bpffs, and one that is not on a bpffs.
std::string new_bpffs();
std::string plain_directory();

// One end of a new veth pair that is up; the other is "<name>p".
void make_veth(const std::string& name);
void remove_veth(const std::string& name);
void shell(const std::string& command);

// Id of the XDP program on an interface, 0: none; of the program behind a descriptor; of a pinned
// link.
std::uint32_t program_on(const std::string& interface);
std::uint32_t id_of_program(int fd);
std::uint32_t id_of_link(const std::string& pin);

// A program of somebody else: passes every packet. Lives as long as its descriptor.
int load_foreign_program();

}  // namespace bascule::test
