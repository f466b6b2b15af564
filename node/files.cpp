// SPDX-License-Identifier: Apache-2.0
#include "node/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "base/descriptor.h"

namespace bascule::node {

namespace {

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t put = ::write(fd, text.data(), text.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        text.remove_prefix(static_cast<std::size_t>(put));
    }
    return true;
}

}  // namespace

Result<std::optional<std::string>> read_small_file(const std::string& path, std::size_t most) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0 && errno == ENOENT) return std::nullopt;
    if (file.get() < 0) return failure(Error::system("cannot be read", errno));
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return failure(Error::system("cannot be read", errno));
    if (!S_ISREG(status.st_mode)) return failure("is not a regular file");

    std::string text;
    std::array<char, 65536> chunk;
    for (;;) {
        const ssize_t got = ::read(file.get(), chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failure(Error::system("cannot be read", errno));
        if (got == 0) return text;
        text.append(chunk.data(), static_cast<std::size_t>(got));
        if (text.size() > most) return failure("is larger than " + std::to_string(most) + " bytes");
    }
}

Result<void> write_file_whole(const std::string& path, std::string_view text, mode_t mode) {
    const std::string draft = path + ".new";
    const auto give_up = [&](const std::string& what, int code) {
        ::unlink(draft.c_str());
        return failure(Error::system(what, code));
    };
    {
        const Descriptor file(
            ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
        if (file.get() < 0) return failure(Error::system(draft + ": cannot be written", errno));
        // The mode first: an old draft may have one that shows the text to others.
        if (::fchmod(file.get(), mode) != 0 || !write_all(file.get(), text) ||
            ::fsync(file.get()) != 0)
            return give_up(draft + ": cannot be written", errno);
    }
    if (::rename(draft.c_str(), path.c_str()) != 0)
        return give_up(path + ": cannot be replaced", errno);
    const auto folder = std::filesystem::path(path).parent_path();
    const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() >= 0) ::fsync(directory.get());  // the rename itself
    return {};
}

Result<void> make_directory(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return failure(path + ": cannot be made: " + error.message());
    return {};
}

}  // namespace bascule::node
