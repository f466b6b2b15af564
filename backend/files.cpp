// SPDX-License-Identifier: Apache-2.0
#include "backend/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <sstream>

namespace bascule::backend {
namespace {

constexpr std::size_t most_bytes = std::size_t{1} << 20;

// What write_file writes before it takes the name; a killed process leaves it.
std::string beside(const std::string& path) {
    return path + ".new";
}

// The names in the directory of a file, on the disk. 0, or errno.
int sync_directory(const std::string& path) {
    const std::string parent = std::filesystem::path(path).parent_path();
    const Descriptor fd(
        ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return fd && ::fsync(fd.get()) == 0 ? 0 : errno;
}

// 0, or errno.
int write_all(int fd, const std::string& text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const ssize_t written = ::write(fd, text.data() + at, text.size() - at);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return errno;
        at += static_cast<std::size_t>(written);
    }
    return 0;
}

Result<std::string> read_all(int fd, const std::string& path) {
    std::string text;
    std::array<char, 4096> chunk;
    for (;;) {
        const ssize_t size = ::read(fd, chunk.data(), chunk.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return failure(Error::system("read " + path, errno));
        if (size == 0) return text;
        text.append(chunk.data(), static_cast<std::size_t>(size));
        if (text.size() > most_bytes) return failure(path + ": longer than 1 MiB");
    }
}

// Asking who has it does not take it, not even for a moment.
struct flock whole_file() {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    return whole;
}

std::string sysctl_path(const std::string& path) {
    return "/proc/sys/" + path;
}

}  // namespace

Result<std::optional<std::string>> read_file(const std::string& path) {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd && errno == ENOENT) return std::optional<std::string>();
    if (!fd) return failure(Error::system("read " + path, errno));
    auto text = read_all(fd.get(), path);
    if (!text) return failure(std::move(text.error()));
    return std::optional(std::move(*text));
}

Result<void> write_file(const std::string& path, const std::string& text, mode_t mode) {
    const std::string draft = beside(path);
    const auto failed = [&](int code) {
        ::unlink(draft.c_str());
        return failure(Error::system("write " + path, code));
    };
    const Descriptor fd(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (!fd) return failed(errno);
    if (::fchmod(fd.get(), mode) != 0) return failed(errno);
    if (const int code = write_all(fd.get(), text); code != 0) return failed(code);
    if (::fsync(fd.get()) != 0) return failed(errno);
    if (::rename(draft.c_str(), path.c_str()) != 0) return failed(errno);
    // Else a loss of power may bring the old file back.
    if (const int code = sync_directory(path); code != 0) return failed(code);
    return {};
}

Result<void> remove_file(const std::string& path) {
    for (const std::string& each : {beside(path), path})
        if (::unlink(each.c_str()) != 0 && errno != ENOENT)
            return failure(Error::system("remove " + each, errno));
    return {};
}

Result<void> make_directory(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return failure(Error::system("make " + path, error.value()));
    return {};
}

Result<std::string> read_sysctl(const std::string& path) {
    auto text = read_file(sysctl_path(path));
    if (!text) return failure(std::move(text.error()));
    if (!*text) return failure("there is no kernel setting " + sysctl_path(path));
    while (!(*text)->empty() && (*text)->back() == '\n')
        (*text)->pop_back();
    return **text;
}

Result<void> write_sysctl(const std::string& path, const std::string& value) {
    const Descriptor fd(::open(sysctl_path(path).c_str(), O_WRONLY | O_CLOEXEC));
    const int code = fd ? write_all(fd.get(), value + "\n") : errno;
    if (code != 0) return failure(Error::system("write " + sysctl_path(path), code));
    return {};
}

Result<std::optional<Descriptor>> take_lock(const std::string& path) {
    Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) return failure(Error::system("open " + path, errno));
    struct flock whole = whole_file();
    if (::fcntl(fd.get(), F_OFD_SETLK, &whole) != 0) {
        if (errno == EAGAIN || errno == EACCES) return std::optional<Descriptor>();
        return failure(Error::system("lock " + path, errno));
    }
    if (auto written = write_holder(fd.get(), {::getpid(), 0, 0}); !written)
        return failure(std::move(written.error()).within(path));
    return std::optional(std::move(fd));
}

// One write, longer than the one before or as long, so that a reader sees one or the other.
Result<void> write_holder(int lock, const Holder& holder) {
    const std::string text = std::to_string(holder.process) + ' ' + std::to_string(holder.applied) +
                             ' ' + std::to_string(holder.refused) + ' ' +
                             std::to_string(holder.put_back) + '\n';
    if (::pwrite(lock, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
        ::ftruncate(lock, static_cast<off_t>(text.size())) != 0)
        return failure(Error::system("write", errno));
    return {};
}

std::optional<Holder> lock_holder(const std::string& path) {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct flock whole = whole_file();
    if (!fd || ::fcntl(fd.get(), F_OFD_GETLK, &whole) != 0 || whole.l_type == F_UNLCK) return {};
    Holder holder;
    std::istringstream text(read_all(fd.get(), path).value_or(""));
    text >> holder.process >> holder.applied >> holder.refused >> holder.put_back;
    return holder;
}

}  // namespace bascule::backend
