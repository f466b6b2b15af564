// SPDX-License-Identifier: Apache-2.0
#include "control/socket_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace bascule::control {

namespace {

// What the holder of the lock wrote into it, for the message alone.
std::string holder(int lock) {
    std::array<char, 32> text{};
    ssize_t n = ::pread(lock, text.data(), text.size() - 1, 0);
    std::string pid(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    pid = pid.substr(0, pid.find_first_not_of("0123456789"));
    return pid.empty() ? "" : fmt::format(" (process {})", pid);
}

}  // namespace

Result<SocketFile> SocketFile::listen(const std::string& path, mode_t mode, int backlog) {
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
        return failure(fmt::format("{}: too long for a Unix socket (at most {} bytes)", path,
                                   sizeof(sockaddr_un::sun_path) - 1));
    }
    SocketFile file(path);
    if (auto done = file.lock(); !done) return failure(std::move(done.error()));
    if (auto done = file.clear_place(); !done) return failure(std::move(done.error()));
    if (auto done = file.bind(mode, backlog); !done) return failure(std::move(done.error()));
    return file;
}

Result<void> SocketFile::lock() {
    std::string name = path_ + ".lock";
    lock_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    // Ours alone, also where an earlier one was not: whoever can read a file can lock it, and would
    // keep every daemon from starting.
    if (lock_ < 0 || ::fchmod(lock_, 0600) != 0) return failure(Error::system(name, errno));
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
        int code = errno;
        if (code != EWOULDBLOCK) return failure(Error::system("lock " + name, code));
        return failure(fmt::format("another basculed is running on {}{}", path_, holder(lock_)));
    }
    // The text only helps whoever meets the lock; that it could not be written harms nothing.
    std::string pid = fmt::format("{}\n", ::getpid());
    [[maybe_unused]] bool told =
        ::ftruncate(lock_, 0) == 0 && ::pwrite(lock_, pid.data(), pid.size(), 0) > 0;
    return {};
}

Result<void> SocketFile::clear_place() const {
    struct stat found {};
    if (::lstat(path_.c_str(), &found) != 0) {
        return errno == ENOENT ? Result<void>() : failure(Error::system(path_, errno));
    }
    if (!S_ISSOCK(found.st_mode)) {
        return failure(fmt::format("{} is in the way and is no socket", path_));
    }
    if (::unlink(path_.c_str()) != 0) {
        return failure(Error::system("remove the stale socket " + path_, errno));
    }
    return {};
}

Result<void> SocketFile::bind(mode_t mode, int backlog) {
    socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket_ < 0) return failure(Error::system("control socket", errno));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    // The file takes its first mode from the socket, so it is never more open than it shall be.
    if (::fchmod(socket_, mode) != 0 ||
        ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        return failure(Error::system(path_, errno));
    }
    bound_ = true;
    struct stat made {};
    // The umask may have taken bits away that were asked for.
    if (::lstat(path_.c_str(), &made) != 0 || ::chmod(path_.c_str(), mode) != 0 ||
        ::listen(socket_, backlog) != 0) {
        return failure(Error::system(path_, errno));
    }
    device_ = made.st_dev;
    inode_ = made.st_ino;
    return {};
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::move(other.path_)),
      lock_(std::exchange(other.lock_, -1)),
      socket_(std::exchange(other.socket_, -1)),
      bound_(std::exchange(other.bound_, false)),
      device_(other.device_),
      inode_(other.inode_) {}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(lock_, other.lock_);
    std::swap(socket_, other.socket_);
    std::swap(bound_, other.bound_);
    std::swap(device_, other.device_);
    std::swap(inode_, other.inode_);
    return *this;
}

SocketFile::~SocketFile() {
    remove();
    if (socket_ >= 0) ::close(socket_);
}

int SocketFile::release_socket() {
    return std::exchange(socket_, -1);
}

void SocketFile::remove() {
    if (std::exchange(bound_, false)) {
        struct stat found {};
        // Whoever put another file in its place keeps it.
        if (::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ &&
            found.st_ino == inode_) {
            ::unlink(path_.c_str());
        }
    }
    if (lock_ >= 0) ::close(std::exchange(lock_, -1));
}

}  // namespace bascule::control
