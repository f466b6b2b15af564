// SPDX-License-Identifier: Apache-2.0
#include "node/config_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/control/temporary_directory.h"
#include "tests/unit/node/config_text.h"

namespace bascule::node {
namespace {

using namespace testing;

class ConfigFiles : public ::testing::Test {
protected:
    void write(const std::string& name, const std::string& text) {
        const std::filesystem::path path = folder_.file(name);
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
    }
    void write_main() {
        write("bascule.toml",
              head_text() + service_text("web", 80) + backend_text("web1", "10.9.0.21"));
    }
    LoadedConfig load() { return load_config(main_); }
    static std::string errors(const LoadedConfig& loaded) {
        std::string all;
        for (const auto& error : loaded.parsed.errors)
            all += error.to_string() + "\n";
        return all;
    }

    TemporaryDirectory folder_;
    std::string main_ = folder_.file("bascule.toml");
};

TEST_F(ConfigFiles, TheMainFileAloneIsEnough) {
    write_main();
    const auto loaded = load();
    ASSERT_TRUE(loaded.parsed.config) << errors(loaded);
    EXPECT_EQ(loaded.files, std::vector<std::string>{main_});
    EXPECT_EQ(loaded.hash.size(), 64);
}

TEST_F(ConfigFiles, FragmentsFollowInTheOrderOfTheirNames) {
    write_main();
    write("conf.d/20-dns.toml", service_text("dns", 53) + backend_text("d", "10.9.0.31"));
    write("conf.d/10-tls.toml", service_text("tls", 443) + backend_text("t", "10.9.0.32"));
    write("conf.d/.hidden.toml", "not read");
    write("conf.d/30-old.toml.dpkg-old", "not read");
    write("conf.d/README", "not read");
    const auto loaded = load();
    ASSERT_TRUE(loaded.parsed.config) << errors(loaded);
    EXPECT_EQ(loaded.files, (std::vector<std::string>{main_, folder_.file("conf.d/10-tls.toml"),
                                                      folder_.file("conf.d/20-dns.toml")}));
    ASSERT_EQ(loaded.parsed.config->services.size(), 3);
    EXPECT_EQ(loaded.parsed.config->services[1].name, "tls");
    EXPECT_EQ(loaded.parsed.config->services[2].name, "dns");
}

TEST_F(ConfigFiles, AMissingFileIsToldWithItsName) {
    const auto loaded = load();
    EXPECT_FALSE(loaded.parsed.config);
    EXPECT_EQ(errors(loaded), main_ + ": No such file or directory\n");
}

TEST_F(ConfigFiles, AFolderIsNoFile) {
    std::filesystem::create_directory(main_);
    EXPECT_EQ(errors(load()), main_ + ": is not a regular file\n");
    std::filesystem::remove(main_);
    write_main();
    std::filesystem::create_directories(folder_.file("conf.d/10-folder.toml"));
    EXPECT_EQ(errors(load()), folder_.file("conf.d/10-folder.toml") + ": is not a regular file\n");
}

TEST_F(ConfigFiles, AFragmentThatLeadsNowhereIsAnError) {
    write_main();
    std::filesystem::create_directory(folder_.file("conf.d"));
    std::filesystem::create_symlink("/nowhere", folder_.file("conf.d/10.toml"));
    const auto loaded = load();
    EXPECT_FALSE(loaded.parsed.config) << "half a configuration is none";
    EXPECT_EQ(errors(loaded), folder_.file("conf.d/10.toml") + ": No such file or directory\n");
}

TEST_F(ConfigFiles, FragmentsThatCannotBeListedAreAnError) {
    write_main();
    write("conf.d", "a file");
    const auto loaded = load();
    EXPECT_FALSE(loaded.parsed.config);
    EXPECT_NE(errors(loaded).find("conf.d: cannot be read: Not a directory"), std::string::npos)
        << errors(loaded);
}

TEST_F(ConfigFiles, FragmentsThatMayNotBeReadAreAnError) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become someone else";
    write_main();
    write("conf.d/10.toml", "");
    ::chmod(folder_.path().c_str(), 0755);
    ::chmod(folder_.file("conf.d").c_str(), 0700);
    ASSERT_EQ(::seteuid(65534), 0);
    const auto loaded = load();
    ASSERT_EQ(::seteuid(0), 0);
    EXPECT_FALSE(loaded.parsed.config);
    EXPECT_NE(errors(loaded).find("conf.d: cannot be read: Permission denied"), std::string::npos)
        << errors(loaded);
}

TEST_F(ConfigFiles, AnErrorOfTheDiskDoesNotHideErrorsOfTheText) {
    write("bascule.toml", "[node]\nintefaces = [\"eth0\"]\n");
    std::filesystem::create_directories(folder_.file("conf.d/10.toml"));
    const std::string all = errors(load());
    EXPECT_NE(all.find("conf.d/10.toml: is not a regular file"), std::string::npos) << all;
    EXPECT_NE(all.find(main_ + ":2:1: "), std::string::npos) << all;
}

TEST_F(ConfigFiles, AHugeFileIsRefused) {
    write_main();
    std::filesystem::resize_file(main_, (std::uintmax_t{16} << 20) + 1);
    EXPECT_EQ(errors(load()), main_ + ": is larger than 16777216 bytes\n");
}

TEST_F(ConfigFiles, TheHashIsOfNamesAndTexts) {
    write_main();
    const std::string alone = load().hash;
    EXPECT_EQ(load().hash, alone);
    write("conf.d/10.toml", "# a comment\n");
    const std::string with = load().hash;
    EXPECT_NE(with, alone);
    write("conf.d/10.toml", "# A comment\n");
    EXPECT_NE(load().hash, with);
    write("conf.d/10.toml", "# a comment\n");
    EXPECT_EQ(load().hash, with);
    std::filesystem::rename(folder_.file("conf.d/10.toml"), folder_.file("conf.d/11.toml"));
    EXPECT_NE(load().hash, with);
}

TEST_F(ConfigFiles, TextThatMovesFromOneFileToTheNextIsAnotherHash) {
    write_main();
    write("conf.d/10.toml", "# one\n# two\n");
    write("conf.d/20.toml", "");
    const std::string before = load().hash;
    write("conf.d/10.toml", "# one\n");
    write("conf.d/20.toml", "# two\n");
    EXPECT_NE(load().hash, before);
}

TEST_F(ConfigFiles, WhatOnlyTheDiskCanTellRefusesItToo) {
    write("bascule.toml", head_text() + service_text("web", 443) +
                              "[service.health]\ntype = \"https\"\nca = \"/no/such.pem\"\n" +
                              backend_text("web1", "10.9.0.21"));
    const auto loaded = load();
    EXPECT_FALSE(loaded.parsed.config);
    EXPECT_EQ(errors(loaded), main_ + ":14:6: ca: /no/such.pem: No such file or directory\n");
}

}  // namespace
}  // namespace bascule::node
