// SPDX-License-Identifier: Apache-2.0
// A directory that ends with the test, short enough for a socket's path.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace bascule {

class TemporaryDirectory {
public:
    // What is written often goes below a tmpfs: a disk makes each write last.
    explicit TemporaryDirectory(const std::string& below = "/tmp") {
        std::string name = below + "/bascule-test-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
        path_ = name;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    const std::string& path() const { return path_; }
    std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

}  // namespace bascule
