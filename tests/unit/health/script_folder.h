// SPDX-License-Identifier: Apache-2.0
// A folder for scripts that the daemon would run: root's alone, on a way that is root's alone, so
// not in /tmp. Ends with the test.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace bascule::testing {

class ScriptFolder {
public:
    ScriptFolder() {
        std::string name = "/run/bascule-test-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
        path_ = name;
        ::chmod(name.c_str(), 0755);
    }
    ~ScriptFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    ScriptFolder(const ScriptFolder&) = delete;
    ScriptFolder& operator=(const ScriptFolder&) = delete;

    const std::string& path() const { return path_; }
    std::string file(const std::string& name) const { return path_ + "/" + name; }

    // A script of the shell; its path.
    std::string script(const std::string& name, const std::string& body, mode_t mode = 0755) const {
        const std::string path = file(name);
        {
            std::ofstream out(path);
            out << "#!/bin/sh\n" << body << "\n";
            if (!out.flush()) throw std::runtime_error("cannot write " + path);
        }
        ::chmod(path.c_str(), mode);
        return path;
    }

private:
    std::string path_;
};

}  // namespace bascule::testing
