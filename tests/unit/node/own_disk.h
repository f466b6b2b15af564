// SPDX-License-Identifier: Apache-2.0
// A small disk that can be filled and made read-only, seen by one thread alone: it ends with that,
// whatever becomes of the test. Needs root.
#pragma once

#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/unit/control/temporary_directory.h"

namespace bascule::node {

class OwnDisk {
public:
    // Why there is none; empty: the body has run, in a thread of its own.
    static std::string with(const std::function<void(OwnDisk&)>& body) {
        std::string why;
        std::thread([&] {
            OwnDisk disk;
            why = disk.mount();
            if (why.empty()) body(disk);
        }).join();
        return why;
    }

    const std::string& path() const { return folder_.path(); }
    // To the last byte.
    void fill() const {
        std::ofstream file(folder_.file("filler"), std::ios::binary);
        while (file.put('x').flush()) {
        }
    }
    void make_room() const { std::filesystem::remove(folder_.file("filler")); }
    void set_read_only(bool read_only) const {
        const unsigned long flags = MS_REMOUNT | (read_only ? MS_RDONLY : 0);
        if (::mount("none", path().c_str(), "tmpfs", flags, "size=64k") != 0)
            throw std::runtime_error(std::string("remount: ") + std::strerror(errno));
    }

private:
    OwnDisk() = default;
    // What is mounted cannot be removed.
    ~OwnDisk() {
        if (mounted_) ::umount2(path().c_str(), MNT_DETACH);
    }
    std::string mount() {
        if (::unshare(CLONE_FS | CLONE_NEWNS) != 0 ||
            ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("none", path().c_str(), "tmpfs", 0, "size=64k") != 0)
            return std::string("no disk of its own: ") + std::strerror(errno);
        mounted_ = true;
        return "";
    }

    TemporaryDirectory folder_;
    bool mounted_ = false;
};

}  // namespace bascule::node
