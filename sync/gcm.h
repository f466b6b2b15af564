// SPDX-License-Identifier: Apache-2.0
// AES-256-GCM with one key, many times: the key is expanded once, OpenSSL wipes it with its owner.
// Thread: one at a time.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "sync/cluster_key.h"

namespace bascule::sync {

inline constexpr std::size_t gcm_tag = 16;  // bytes
using GcmNonce = std::array<std::uint8_t, 12>;

class Gcm {
public:
    enum class Way { seal, open };
    // std::runtime_error: this OpenSSL has no AES-256-GCM.
    Gcm(const SecretKey& key, Way way);

    // Writes as many bytes as `plain` has, then the tag. False: OpenSSL failed.
    bool seal(const GcmNonce& nonce, std::span<const std::uint8_t> clear,
              std::span<const std::uint8_t> plain, std::uint8_t* out);
    // `sealed` ends with its tag; `out` has room for all before it. False: not authentic, and what
    // is in `out` must not be looked at.
    bool open(const GcmNonce& nonce, std::span<const std::uint8_t> clear,
              std::span<const std::uint8_t> sealed, std::uint8_t* out);

private:
    struct Free {
        void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
    };
    std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
};

}  // namespace bascule::sync
