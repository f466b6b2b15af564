// SPDX-License-Identifier: Apache-2.0
#include "node/config_outside.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <string_view>
#include <tuple>

#include "health/program.h"
#include "node/files.h"
#include "sync/cluster_key.h"

namespace bascule::node {

namespace {

constexpr std::size_t most_file_bytes = std::size_t{4} << 20;  // all CAs of a system are 200 KiB

struct Free {
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

// OpenSSL would ask the terminal otherwise.
int no_pass_phrase(char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
}

Owned<BIO> reader(const std::string& text) {
    return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// A problem in words; empty: none.
using Problem = std::string;

Problem certificates_problem(const std::string& text) {
    ERR_clear_error();
    const Owned<BIO> bio = reader(text);
    std::size_t count = 0;
    while (const Owned<X509> certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)})
        ++count;
    const unsigned long last = ERR_peek_last_error();
    ERR_clear_error();
    // The end of the file is an error to OpenSSL like any other.
    const bool at_end =
        ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
    if (!at_end) return fmt::format("its certificate {} is damaged", count + 1);
    return count == 0 ? "no certificate is in it (PEM is expected)" : "";
}

struct Key {
    Owned<EVP_PKEY> key;
    Problem problem;
};

Key read_key(const std::string& text) {
    bool asked = false;
    Key result;
    const Owned<BIO> bio = reader(text);
    result.key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, &asked));
    ERR_clear_error();
    if (!result.key)
        result.problem = asked ? "it is locked by a pass phrase, which nobody could type"
                               : "no private key is in it (PEM is expected)";
    return result;
}

class Outside {
public:
    void check(const model::ServiceConfig& service) {
        const model::HealthConfig& health = service.health;
        if (health.type == model::ProbeType::exec) check(health.program);
        if (health.type != model::ProbeType::https) return;
        if (!health.ca.empty()) check_certificates("ca", health.ca, health.ca_origin);
        if (health.certificate.empty()) return;
        const bool sound =
            check_certificates("certificate", health.certificate, health.cert_origin);
        check_key(health, sound);
    }

    void check(const model::ProgramConfig& program) {
        const auto safe = health::check_program(program);
        if (!safe) add(program.origin, "command: " + safe.error().text());
    }

    void check(const model::ClusterConfig& cluster) {
        const auto keys = sync::read_cluster_keys(cluster.key_file);
        if (!keys) add(cluster.key_origin, "key_file: " + keys.error().text());
    }

    std::vector<model::Diagnostic> report() {
        std::stable_sort(found_.begin(), found_.end(), [](const auto& a, const auto& b) {
            return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
        });
        return std::move(found_);
    }

private:
    struct File {
        std::string text;
        mode_t mode = 0;
        Problem problem;
        std::optional<Problem> as_certificates;
    };

    void add(const model::Origin& origin, std::string message) {
        found_.push_back({origin.file, origin.line, origin.column, std::move(message)});
    }

    File& read(const std::string& path) {
        const auto [entry, fresh] = files_.try_emplace(path);
        File& file = entry->second;
        if (!fresh) return file;
        auto text = read_small_file(path, most_file_bytes);
        struct stat status {};
        if (!text)
            file.problem = text.error().text();
        else if (!*text)
            file.problem = "No such file or directory";
        else if (::stat(path.c_str(), &status) != 0)
            file.problem = Error::system("stat", errno).text();
        if (!file.problem.empty()) return file;
        file.text = std::move(**text);
        file.mode = status.st_mode;
        return file;
    }

    bool check_certificates(std::string_view key, const std::string& path,
                            const model::Origin& origin) {
        File& file = read(path);
        if (file.problem.empty() && !file.as_certificates)
            file.as_certificates = certificates_problem(file.text);
        const Problem& problem = file.problem.empty() ? *file.as_certificates : file.problem;
        if (!problem.empty()) add(origin, fmt::format("{}: {}: {}", key, path, problem));
        return problem.empty();
    }

    void check_key(const model::HealthConfig& health, bool certificate_is_sound) {
        const File& file = read(health.key);
        const auto wrong = [&](const Problem& problem) {
            add(health.key_origin, fmt::format("key: {}: {}", health.key, problem));
        };
        if (!file.problem.empty()) return wrong(file.problem);
        if ((file.mode & (S_IRWXO | S_IWGRP)) != 0)
            wrong(fmt::format("others may read or change it (mode {:o}): chmod 600",
                              file.mode & 07777));
        const Key key = read_key(file.text);
        if (!key.problem.empty()) return wrong(key.problem);
        if (!certificate_is_sound) return;
        const Owned<BIO> bio = reader(read(health.certificate).text);
        const Owned<X509> certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
        if (X509_check_private_key(certificate.get(), key.key.get()) != 1)
            wrong("it is not the key of " + health.certificate);
        ERR_clear_error();
    }

    std::map<std::string, File> files_;
    std::vector<model::Diagnostic> found_;
};

}  // namespace

std::vector<model::Diagnostic> check_outside(const model::Config& config) {
    Outside outside;
    for (const auto& service : config.services)
        outside.check(service);
    if (!config.hook.program.command.empty()) outside.check(config.hook.program);
    if (config.cluster) outside.check(*config.cluster);
    return outside.report();
}

}  // namespace bascule::node
