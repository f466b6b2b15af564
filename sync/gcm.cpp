// SPDX-License-Identifier: Apache-2.0
#include "sync/gcm.h"

#include <stdexcept>

namespace bascule::sync {

Gcm::Gcm(const SecretKey& key, Way way) : context_(EVP_CIPHER_CTX_new()) {
    if (!context_ || EVP_CipherInit_ex(context_.get(), EVP_aes_256_gcm(), nullptr, key.data(),
                                       nullptr, way == Way::seal ? 1 : 0) != 1)
        throw std::runtime_error("OpenSSL: there is no AES-256-GCM");
}

bool Gcm::seal(const GcmNonce& nonce, std::span<const std::uint8_t> clear,
               std::span<const std::uint8_t> plain, std::uint8_t* out) {
    EVP_CIPHER_CTX* const context = context_.get();
    int size = 0;
    return EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
           EVP_EncryptUpdate(context, nullptr, &size, clear.data(),
                             static_cast<int>(clear.size())) == 1 &&
           EVP_EncryptUpdate(context, out, &size, plain.data(), static_cast<int>(plain.size())) ==
               1 &&
           EVP_EncryptFinal_ex(context, out + plain.size(), &size) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, gcm_tag, out + plain.size()) == 1;
}

bool Gcm::open(const GcmNonce& nonce, std::span<const std::uint8_t> clear,
               std::span<const std::uint8_t> sealed, std::uint8_t* out) {
    if (sealed.size() < gcm_tag) return false;
    EVP_CIPHER_CTX* const context = context_.get();
    const auto hidden = sealed.first(sealed.size() - gcm_tag);
    auto* const tag = const_cast<std::uint8_t*>(sealed.last(gcm_tag).data());  // only read
    int size = 0;
    return EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
           EVP_DecryptUpdate(context, nullptr, &size, clear.data(),
                             static_cast<int>(clear.size())) == 1 &&
           EVP_DecryptUpdate(context, out, &size, hidden.data(), static_cast<int>(hidden.size())) ==
               1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, gcm_tag, tag) == 1 &&
           EVP_DecryptFinal_ex(context, out + hidden.size(), &size) == 1;
}

}  // namespace bascule::sync
