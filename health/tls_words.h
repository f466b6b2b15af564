// SPDX-License-Identifier: Apache-2.0
// What OpenSSL found, in words. Names in certificates come from outside: they are quoted and cut.
#pragma once

#include <openssl/ssl.h>

#include <optional>
#include <string>

#include "model/config.h"

namespace bascule::health {

// The oldest entry of the thread's error queue, which is empty then.
struct TlsError {
    std::string words;
    bool alert = false;  // said by the other side
};
TlsError take_tls_error();

// Why a certificate is not taken: `X509_V_ERR_…` as the store's context has it; `name` was asked
// for.
std::string certificate_words(X509_STORE_CTX* store, const std::string& name);

// Of a good one: "certificate expires in 9 days". Nullopt: not that soon.
std::optional<std::string> expiry_words(const X509* certificate, model::Milliseconds before);

}  // namespace bascule::health
