// SPDX-License-Identifier: Apache-2.0
#include "node/config_files.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <filesystem>
#include <memory>

#include "node/cluster_hash.h"
#include "node/config_outside.h"
#include "node/files.h"

namespace bascule::node {

namespace {

constexpr std::size_t most_file_bytes = std::size_t{16} << 20;

// Paths of conf.d/*.toml beside the main file; none when the folder is not there.
Result<std::vector<std::string>> fragments(const std::string& main_file) {
    const auto folder = std::filesystem::path(main_file).parent_path() / "conf.d";
    std::vector<std::string> paths;
    std::error_code error;
    std::filesystem::directory_iterator entries(folder, error);
    if (error == std::errc::no_such_file_or_directory) return paths;
    if (error) return failure(folder.string() + ": cannot be read: " + error.message());
    for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
        const auto& path = entries->path();
        if (path.extension() == ".toml" && path.filename().string().front() != '.')
            paths.push_back(path.string());
    }
    if (error) return failure(folder.string() + ": cannot be read: " + error.message());
    std::sort(paths.begin(), paths.end());
    return paths;
}

std::string sha256(const std::vector<model::SourceText>& sources) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          &EVP_MD_CTX_free);
    EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
    for (const auto& source : sources) {  // lengths, so that no text can pose as another's end
        const std::string head = fmt::format("{}\n{}\n", source.file, source.text.size());
        EVP_DigestUpdate(context.get(), head.data(), head.size());
        EVP_DigestUpdate(context.get(), source.text.data(), source.text.size());
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int size = 0;
    EVP_DigestFinal_ex(context.get(), digest.data(), &size);
    std::string hex;
    for (unsigned int i = 0; i < size; ++i)
        hex += fmt::format("{:02x}", digest[i]);
    return hex;
}

struct Reading {
    std::vector<model::SourceText> sources;
    std::vector<model::Diagnostic> errors;
};

Reading read_all(const std::string& main_file) {
    Reading reading;
    std::vector<std::string> paths{main_file};
    if (auto more = fragments(main_file))
        paths.insert(paths.end(), more->begin(), more->end());
    else
        reading.errors.push_back({main_file, 0, 0, more.error().text()});
    for (const auto& path : paths) {
        auto text = read_small_file(path, most_file_bytes);
        if (text && *text)
            reading.sources.push_back({path, std::move(**text)});
        else
            reading.errors.push_back(
                {path, 0, 0, text ? "No such file or directory" : text.error().text()});
    }
    return reading;
}

std::string own_host_name() {
    std::array<char, HOST_NAME_MAX + 1> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

}  // namespace

LoadedConfig read_config(const std::string& main_file) {
    Reading reading = read_all(main_file);
    LoadedConfig loaded;
    for (const auto& source : reading.sources)
        loaded.files.push_back(source.file);
    loaded.hash = sha256(reading.sources);
    loaded.cluster_hash = config_hash(reading.sources);
    if (!reading.sources.empty())
        loaded.parsed = model::parse_config(reading.sources, own_host_name());
    if (!reading.errors.empty()) {
        loaded.parsed.config.reset();
        loaded.parsed.errors.insert(loaded.parsed.errors.begin(), reading.errors.begin(),
                                    reading.errors.end());
    }
    return loaded;
}

LoadedConfig load_config(const std::string& main_file) {
    LoadedConfig loaded = read_config(main_file);
    if (!loaded.parsed.config) return loaded;
    loaded.parsed.errors = check_outside(*loaded.parsed.config);
    if (!loaded.parsed.errors.empty()) loaded.parsed.config.reset();
    return loaded;
}

}  // namespace bascule::node
