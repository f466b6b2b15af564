// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bascule::test {

namespace {

constexpr const char* place = "/sys/fs/bpf";

bool mount_private(const char* type, const char* target) {
    if (::mount(type, target, type, 0, nullptr) == 0) return true;
    std::fprintf(stderr, "mount %s on %s: %s\n", type, target, std::strerror(errno));
    return false;
}

}  // namespace

bool enter_private_world() {
    if (::unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) {
        std::fprintf(stderr, "this test needs root: unshare: %s\n", std::strerror(errno));
        return false;
    }
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
    // A sysfs of the new network namespace, with a bpffs of our own; and memory for plain files.
    return mount_private("sysfs", "/sys") && mount_private("bpf", place) &&
           mount_private("tmpfs", "/mnt");
}

std::string new_bpffs() {
    static int count = 0;
    return std::string(place) + "/test" + std::to_string(++count);
}

std::string plain_directory() {
    return "/mnt";
}

void shell(const std::string& command) {
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

void make_veth(const std::string& name) {
    shell("ip link add name " + name + " type veth peer name " + name + "p && ip link set dev " +
          name + " up && ip link set dev " + name + "p up");
}

void remove_veth(const std::string& name) {
    shell("ip link del dev " + name);
}

std::uint32_t program_on(const std::string& interface) {
    bpf_xdp_query_opts options{};
    options.sz = sizeof(options);
    const int index = static_cast<int>(::if_nametoindex(interface.c_str()));
    EXPECT_EQ(bpf_xdp_query(index, 0, &options), 0) << interface;
    return options.prog_id != 0 ? options.prog_id : options.skb_prog_id;
}

std::uint32_t id_of_program(int fd) {
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 ? info.id : 0;
}

std::uint32_t id_of_link(const std::string& pin) {
    const int fd = bpf_obj_get(pin.c_str());
    if (fd < 0) return 0;
    bpf_link_info info{};
    std::uint32_t size = sizeof(info);
    const bool known = bpf_obj_get_info_by_fd(fd, &info, &size) == 0;
    ::close(fd);
    return known ? info.id : 0;
}

int load_foreign_program() {
    bpf_insn code[2] = {};
    code[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
    code[0].imm = XDP_PASS;
    code[1].code = BPF_JMP | BPF_EXIT;
    return bpf_prog_load(BPF_PROG_TYPE_XDP, "xdp_pass", "GPL", code, 2, nullptr);
}

}  // namespace bascule::test
