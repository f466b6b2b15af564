// SPDX-License-Identifier: Apache-2.0
#include "cli/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

namespace bascule::cli {

namespace {

struct Owner {
    uid_t user = 0;
    gid_t group = 0;
};

// Beside the file that it is to become; gone with its owner unless it was put in place.
class DraftFile {
public:
    explicit DraftFile(const std::string& path) : name_(path + ".XXXXXX") {
        fd_ = ::mkostemp(name_.data(), O_CLOEXEC);  // 0600
    }
    DraftFile(const DraftFile&) = delete;
    DraftFile& operator=(const DraftFile&) = delete;
    ~DraftFile() {
        if (fd_ < 0) return;
        ::close(fd_);
        if (!placed_) ::unlink(name_.c_str());
    }

    // False: errno says why; as below.
    bool fill(std::string_view text, const std::optional<Owner>& owner) {
        if (fd_ < 0 || (owner && ::fchown(fd_, owner->user, owner->group) != 0)) return false;
        while (!text.empty()) {
            const ssize_t put = ::write(fd_, text.data(), text.size());
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) return false;
            text.remove_prefix(static_cast<std::size_t>(put));
        }
        return ::fsync(fd_) == 0;
    }
    bool place_new(const std::string& path) {
        placed_ =
            ::renameat2(AT_FDCWD, name_.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0;
        // Some file systems cannot; a second name is as safe, and the draft goes.
        if (!placed_ && errno == EINVAL) return ::link(name_.c_str(), path.c_str()) == 0;
        return placed_;
    }
    bool place(const std::string& path) {
        placed_ = ::rename(name_.c_str(), path.c_str()) == 0;
        return placed_;
    }

private:
    std::string name_;
    int fd_ = -1;
    bool placed_ = false;
};

// So that the new name outlives a loss of power.
bool flush_folder(const std::string& path) {
    auto folder = std::filesystem::path(path).parent_path();
    if (folder.empty()) folder = ".";
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    const bool flushed = ::fsync(fd) == 0;
    const int code = errno;
    ::close(fd);
    errno = code;
    return flushed;
}

}  // namespace

Result<void> create_secret_file(const std::string& path, std::string_view text) {
    DraftFile draft(path);
    if (draft.fill(text, std::nullopt) && draft.place_new(path) && flush_folder(path)) return {};
    const int code = errno;
    const std::string folder = std::filesystem::path(path).parent_path();
    if (code == ENOENT && !folder.empty())
        return failure(path + ": there is no directory " + folder + ". Make it (`mkdir -p " +
                       folder + "`), then again");
    return failure(Error::system(path, code));
}

Result<void> replace_secret_file(const std::string& path, std::string_view text) {
    std::error_code trouble;
    const auto target = std::filesystem::canonical(path, trouble);
    if (trouble) return failure(Error::system(path, trouble.value()));
    struct stat status {};
    if (::stat(target.c_str(), &status) != 0) return failure(Error::system(path, errno));
    DraftFile draft(target.string());
    const bool mine = status.st_uid == ::geteuid() && status.st_gid == ::getegid();
    const std::optional<Owner> owner =
        mine ? std::nullopt : std::optional(Owner{status.st_uid, status.st_gid});
    if (draft.fill(text, owner) && draft.place(target.string()) && flush_folder(target.string()))
        return {};
    return failure(Error::system(target.string(), errno));
}

}  // namespace bascule::cli
