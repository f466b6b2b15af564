// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <string>
#include <vector>

#include "frame.h"

namespace bascule::test {

namespace {

Result<void> run(std::vector<std::string> command) {
    std::vector<char*> arguments;
    for (std::string& word : command)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t child = 0;
    if (const int error =
            ::posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ);
        error != 0)
        return failure(Error::system("run " + command[0], error));
    int status = 0;
    if (::waitpid(child, &status, 0) != child) return failure(Error::system("waitpid", errno));
    if (status != 0) return failure(command[0] + " failed, status " + std::to_string(status));
    return {};
}

}  // namespace

Result<void> enter_private_world() {
    if (::unshare(CLONE_NEWNS | CLONE_NEWNET) != 0)
        return failure(Error::system("make namespaces (root is needed)", errno));
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return failure(Error::system("make the mounts private", errno));
    if (::mount("bpf", private_bpffs, "bpf", 0, "mode=0700") != 0)
        return failure(Error::system(std::string("mount a bpffs on ") + private_bpffs, errno));
    return run({"ip", "link", "add", first_interface, "address", our_mac.to_string(), "type",
                "veth", "peer", "name", second_interface});
}

int fail_without_private_world(const Error& error) {
    std::cerr << "no place to test the engine in: " << error.text() << '\n';
    return 1;
}

}  // namespace bascule::test
