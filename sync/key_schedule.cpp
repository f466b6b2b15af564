// SPDX-License-Identifier: Apache-2.0
#include "sync/key_schedule.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <vector>

namespace bascule::sync {
namespace {

struct Free {
    void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
    void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

using Digest = std::array<std::uint8_t, 32>;

// OpenSSL takes a pointer to what it only reads.
OSSL_PARAM octets(const char* name, std::span<const std::uint8_t> bytes) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()),
                                             bytes.size());
}

std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Each part behind its length, so that ("ab", "c") and ("a", "bc") differ.
std::vector<std::uint8_t> join(std::initializer_list<std::string_view> parts) {
    std::vector<std::uint8_t> out;
    for (const std::string_view part : parts) {
        for (int shift = 24; shift >= 0; shift -= 8)
            out.push_back(static_cast<std::uint8_t>(part.size() >> shift));
        out.insert(out.end(), part.begin(), part.end());
    }
    return out;
}

SecretKey derive(const SecretKey& key, std::initializer_list<std::string_view> use) {
    return hkdf_sha256(key, {}, join(use));
}

Digest sha256(std::span<const std::uint8_t> bytes) {
    Digest out{};
    if (EVP_Digest(bytes.data(), bytes.size(), out.data(), nullptr, EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("OpenSSL: SHA-256 failed");
    return out;
}

std::uint64_t first_bytes(std::span<const std::uint8_t> bytes, std::size_t count) {
    std::uint64_t out = 0;
    for (const std::uint8_t byte : bytes.first(count))
        out = out << 8 | byte;
    return out;
}

}  // namespace

SecretKey hkdf_sha256(std::span<const std::uint8_t> secret, std::span<const std::uint8_t> salt,
                      std::span<const std::uint8_t> info) {
    const std::unique_ptr<EVP_KDF, Free> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
    const std::unique_ptr<EVP_KDF_CTX, Free> context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
    if (!context) throw std::runtime_error("OpenSSL: there is no HKDF");
    std::string digest = "SHA256";
    std::vector<OSSL_PARAM> params{
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
        octets(OSSL_KDF_PARAM_KEY, secret)};
    // None at all is what an empty one means.
    if (!salt.empty()) params.push_back(octets(OSSL_KDF_PARAM_SALT, salt));
    if (!info.empty()) params.push_back(octets(OSSL_KDF_PARAM_INFO, info));
    params.push_back(OSSL_PARAM_construct_end());
    SecretKey out{};
    if (EVP_KDF_derive(context.get(), out.data(), out.size(), params.data()) != 1)
        throw std::runtime_error("OpenSSL: HKDF failed");
    return out;
}

SecretKey heartbeat_key(const SecretKey& key, std::string_view cluster, std::string_view sender) {
    return derive(key, {"bascule/1 heartbeat", cluster, sender});
}

SecretKey stream_key(const SecretKey& key, std::string_view cluster, std::string_view one,
                     std::string_view other) {
    return derive(key, {"bascule/1 stream", cluster, std::min(one, other), std::max(one, other)});
}

std::uint32_t key_id(const SecretKey& key) {
    return static_cast<std::uint32_t>(first_bytes(derive(key, {"bascule/1 key id"}), 4));
}

std::uint32_t cluster_id(std::string_view cluster) {
    return static_cast<std::uint32_t>(first_bytes(sha256(join({"bascule/1 cluster", cluster})), 4));
}

std::uint64_t node_id(std::string_view node) {
    return first_bytes(sha256(bytes_of(node)), 8);
}

}  // namespace bascule::sync
