// SPDX-License-Identifier: Apache-2.0
// The command as an operator runs it, against the control server: in a pipe, or on a terminal. The
// program is looked for beside the test's own.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "canned_daemon.h"
#include "running_server.h"
#include "temporary_directory.h"

namespace bascule::control {

using nlohmann::json;
using Words = std::vector<std::string>;

struct Ended {
    int code = -1;
    std::string out;
    std::string err;
};

inline std::string read_to_end(int fd) {
    std::string text;
    std::array<char, 4096> chunk;
    // A terminal whose other end is closed gives an error, not an end.
    for (ssize_t n; (n = ::read(fd, chunk.data(), chunk.size())) > 0;) {
        text.append(chunk.data(), static_cast<std::size_t>(n));
    }
    ::close(fd);
    return text;
}

inline std::string file_text(const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(name).rdbuf();
    return text.str();
}

[[noreturn]] inline void become(const std::string& program, const Words& words) {
    std::vector<char*> argv = {const_cast<char*>(program.c_str())};
    for (const auto& word : words)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::execv(program.c_str(), argv.data());
    ::_exit(126);
}

// Of one that a signal ended: minus its number.
inline int exit_code(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

class Command : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(std::filesystem::exists(program_)) << "build the target bascule-cli first";
    }

    // Both outputs into files, as a script would have it.
    Ended run(Words words, const std::string& program) const {
        pid_t child = start(std::move(words), program);
        return ended(child);
    }
    pid_t start(Words words, const std::string& program) const {
        std::string out = directory_.file("out");
        std::string err = directory_.file("err");
        pid_t child = ::fork();
        if (child == 0) {
            ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
            ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
            become(program, words);
        }
        return child;
    }
    Ended ended(pid_t child) const {
        int code = exit_code(child);
        return {code, file_text(directory_.file("out")), file_text(directory_.file("err"))};
    }
    Ended run(Words words) const {
        words.insert(words.end(), {"--runtime-dir", directory_.path()});
        return run(std::move(words), program_);
    }
    json run_json(Words words, int code) const {
        words.emplace_back("--json");
        Ended result = run(std::move(words));
        EXPECT_EQ(result.code, code) << result.err;
        EXPECT_EQ(result.err, "");
        json document = json::parse(result.out, nullptr, false);
        EXPECT_EQ(document.value("schema", 0), 1) << result.out;
        return document;
    }
    // On a terminal of that many columns.
    Ended run_on_terminal(Words words, unsigned short columns) const {
        words.insert(words.end(), {"--runtime-dir", directory_.path()});
        winsize size{50, columns, 0, 0};
        int master = -1;
        pid_t child = ::forkpty(&master, nullptr, nullptr, &size);
        if (child == 0) become(program_, words);
        std::string text = read_to_end(master);
        return {exit_code(child), text, ""};
    }

    Answer canned(bool degraded) const {
        return [degraded](Request request) -> boost::asio::awaitable<Response> {
            co_return canned_response(request, degraded);
        };
    }
    ServerOptions options() const {
        ServerOptions result;
        result.path = directory_.file("control.sock");
        return result;
    }

    TemporaryDirectory directory_;
    std::string program_ =
        (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "bascule").string();
};

inline bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// Without colours and line ends of a terminal.
inline std::vector<std::string> plain_lines(const std::string& text) {
    std::vector<std::string> lines(1);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\x1b') {
            while (i < text.size() && text[i] != 'm')
                ++i;
        } else if (text[i] == '\n') {
            lines.emplace_back();
        } else if (text[i] != '\r') {
            lines.back().push_back(text[i]);
        }
    }
    return lines;
}

}  // namespace bascule::control
