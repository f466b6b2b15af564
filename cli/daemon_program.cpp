// SPDX-License-Identifier: Apache-2.0
#include "cli/daemon_program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <sstream>

namespace bascule::cli {

namespace {

constexpr std::size_t kMostCaught = std::size_t{1} << 20;

std::string find_program() {
    std::error_code code;
    auto self = std::filesystem::read_symlink("/proc/self/exe", code);
    std::vector<std::string> places;
    if (!code) places.push_back((self.parent_path() / "basculed").string());
    places.emplace_back("/usr/sbin/basculed");
    for (const auto& place : places) {
        if (::access(place.c_str(), X_OK) == 0) return place;
    }
    return "basculed";
}

// Reads to the end even past the limit, so that the program is never held up.
std::string read_all(int fd) {
    std::string text;
    std::array<char, 16384> chunk;
    for (;;) {
        ssize_t n = ::read(fd, chunk.data(), chunk.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return text;
        text.append(chunk.data(), std::min(static_cast<std::size_t>(n), kMostCaught - text.size()));
    }
}

Result<pid_t> spawn(const std::string& program, const std::vector<std::string>& arguments,
                    int output, int errors) {
    std::vector<std::string> words = {program};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (auto& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (output >= 0) posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (errors >= 0) posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    pid_t child = 0;
    int code = ::posix_spawnp(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code != 0) return failure(Error::system("run " + program, code));
    return child;
}

}  // namespace

Result<ProgramEnd> run_daemon_program(const std::vector<std::string>& arguments, Caught caught) {
    std::array<int, 2> pipe = {-1, -1};
    if (caught != Caught::nothing && ::pipe2(pipe.data(), O_CLOEXEC) != 0) {
        return failure(Error::system("pipe", errno));
    }
    auto child = spawn(find_program(), arguments, pipe[1], caught == Caught::all ? pipe[1] : -1);
    ProgramEnd end;
    if (caught != Caught::nothing) {
        ::close(pipe[1]);
        if (child) end.lines = lines_of(read_all(pipe[0]));
        ::close(pipe[0]);
    }
    if (!child) return failure(std::move(child.error()));
    int status = 0;
    while (::waitpid(*child, &status, 0) < 0) {
        if (errno != EINTR) return failure(Error::system("wait for basculed", errno));
    }
    if (WIFSIGNALED(status)) {
        return failure(fmt::format("basculed was ended by signal {}", WTERMSIG(status)));
    }
    end.well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return end;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        lines.push_back(line);
    return lines;
}

}  // namespace bascule::cli
