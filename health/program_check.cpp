// SPDX-License-Identifier: Apache-2.0
// The way to a program, step by step as the kernel would walk it: nobody but root may be able to
// change where it ends. Modelled on script_security of keepalived.conf(5), but for programs of
// every user, and without its exception for sticky folders.
#include "health/program_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "base/descriptor.h"
#include "health/program.h"

namespace bascule::health {

namespace {

constexpr int most_links = 40;           // as the kernel
constexpr std::size_t most_steps = 512;  // of a path whose links are long paths themselves

// Steps of `path` before those that are still to be walked.
void put_before(std::deque<std::string>& steps, std::string_view path) {
    std::deque<std::string> own;
    while (!path.empty()) {
        const auto end = std::min(path.find('/'), path.size());
        if (end > 0) own.emplace_back(path.substr(0, end));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    steps.insert(steps.begin(), own.begin(), own.end());
}

std::string octal(mode_t mode) {
    std::string text;
    for (int shift = 9; shift >= 0; shift -= 3)
        text += static_cast<char>('0' + ((mode >> shift) & 7));
    return text;
}

// `what`: the path, for the message. A link has no mode of its own.
Result<void> roots_alone(const std::string& what, const struct stat& status) {
    if (status.st_uid != 0)
        return failure(what + " is owned by uid " + std::to_string(status.st_uid) +
                       ": it must be root's");
    if (!S_ISLNK(status.st_mode) && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return failure(what + " is writable for others than root (mode " + octal(status.st_mode) +
                       ")");
    return {};
}

bool may_execute(const struct stat& status, const ProgramUser& user) {
    // The owner is root: that was looked at before.
    if (user.uid == 0) return (status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0;
    if (user.has_group(status.st_gid)) return (status.st_mode & S_IXGRP) != 0;
    return (status.st_mode & S_IXOTH) != 0;
}

// A walk from "/". Whoever stands in a folder that only root can change cannot be led elsewhere
// between two steps, so what is looked at is what will be run.
class Walk {
public:
    explicit Walk(const ProgramUser& user) : user_(user) {}

    Result<void> to(const std::string& path) {
        put_before(steps_, path);
        if (auto root = from_root(); !root) return root;
        for (std::size_t count = 0; !steps_.empty(); ++count) {
            if (count == most_steps) return failure(path + " has too many steps");
            const std::string step = std::move(steps_.front());
            steps_.pop_front();
            if (auto taken = take(step); !taken) return taken;
        }
        if (!S_ISREG(status_.st_mode)) return failure(place() + " is not a regular file");
        if (!may_execute(status_, user_))
            return failure(place() + " is not executable for user \"" + user_.name + "\" (mode " +
                           octal(status_.st_mode) + ")");
        return {};
    }

private:
    std::string place() const { return at_.empty() ? "/" : at_; }

    Result<void> from_root() {
        here_.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (here_.get() < 0 || ::fstat(here_.get(), &status_) != 0)
            return failure(Error::system("/", errno));
        at_.clear();
        return roots_alone("/", status_);
    }

    Result<void> take(const std::string& step) {
        if (!S_ISDIR(status_.st_mode)) return failure(place() + " is not a folder");
        if (!may_execute(status_, user_))
            return failure(place() + " cannot be entered by user \"" + user_.name + "\" (mode " +
                           octal(status_.st_mode) + ")");
        if (step == ".") return {};
        const std::string next = step == ".." ? at_.substr(0, at_.rfind('/')) : at_ + "/" + step;
        Descriptor entry(::openat(here_.get(), step.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        struct stat status {};
        if (entry.get() < 0 || ::fstat(entry.get(), &status) != 0)
            return failure(Error::system(next.empty() ? "/" : next, errno));
        if (auto safe = roots_alone(next.empty() ? "/" : next, status); !safe) return safe;
        if (S_ISLNK(status.st_mode)) return follow(next, entry.get());
        here_.reset(entry.release());
        status_ = status;
        at_ = next;
        return {};
    }

    Result<void> follow(const std::string& link, int fd) {
        if (++links_ > most_links) return failure(link + ": too many links");
        std::array<char, PATH_MAX> target;
        const ssize_t size = ::readlinkat(fd, "", target.data(), target.size());
        if (size < 0) return failure(Error::system(link, errno));
        const std::string_view path(target.data(), static_cast<std::size_t>(size));
        put_before(steps_, path);
        if (path.starts_with('/')) return from_root();
        return {};
    }

    const ProgramUser& user_;
    std::deque<std::string> steps_;
    Descriptor here_;
    struct stat status_ {};  // of `here_`
    std::string at_;         // its path without links; empty: "/"
    int links_ = 0;
};

}  // namespace

Result<void> check_program(const model::ProgramConfig& program) {
    const auto user = find_user(program.user);
    return user ? check_program_for(program, *user) : failure(user.error());
}

Result<void> check_program_for(const model::ProgramConfig& program, const ProgramUser& user) {
    if (program.command.empty() || !program.command.front().starts_with('/'))
        return failure("a program needs an absolute path");
    for (const auto& word : program.command)
        if (word.find('\0') != word.npos) return failure("a command cannot hold zero bytes");
    const std::string& path = program.command.front();
    auto safe = Walk(user).to(path);
    if (safe || safe.error().text().starts_with(path)) return safe;
    return failure(std::move(safe).error().within("cannot run " + path));
}

}  // namespace bascule::health
