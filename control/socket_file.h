// SPDX-License-Identifier: Apache-2.0
// The control socket's place in the file system: one daemon a path, nothing of others taken away.
//
// `<path>.lock` is locked for as long as the daemon lives, and tells its process id. The lock ends
// with the process however it dies, so a socket found under our lock has no one behind it. The lock
// file itself stays: to remove it would let two daemons lock two files of one name.
//
// Thread: one at a time.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace bascule::control {

class SocketFile {
public:
    // Locks, removes the socket of a dead daemon, binds and listens. Errors: another daemon runs
    // (named by its process id), something else is in the place, or what the system says.
    static Result<SocketFile> listen(const std::string& path, mode_t mode, int backlog);

    SocketFile(SocketFile&& other) noexcept;
    SocketFile& operator=(SocketFile&& other) noexcept;
    SocketFile(const SocketFile&) = delete;
    SocketFile& operator=(const SocketFile&) = delete;
    ~SocketFile();  // as remove()

    // The listening socket, non-blocking; the caller's from now on.
    int release_socket();

    // Removes the file if it is still the one bound here, and gives up the lock.
    void remove();

private:
    explicit SocketFile(std::string path) : path_(std::move(path)) {}
    Result<void> lock();
    Result<void> clear_place() const;
    Result<void> bind(mode_t mode, int backlog);

    std::string path_;
    int lock_ = -1;
    int socket_ = -1;
    bool bound_ = false;
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

}  // namespace bascule::control
