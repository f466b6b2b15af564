// SPDX-License-Identifier: Apache-2.0
#include "health/tls_words.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <system_error>

#include "base/address.h"
#include "health/outcome.h"
#include "health/words.h"

namespace bascule::health {

namespace {

// So that all of them and the name that was asked for fit an outcome's words.
constexpr int most_names = 2;
constexpr std::size_t most_of_a_name = 40;

struct Span {
    int days = 0;
    int seconds = 0;

    bool is_past() const { return days < 0 || seconds < 0; }
    model::Milliseconds length() const {
        return std::chrono::hours(24) * std::int64_t{days} + std::chrono::seconds(seconds);
    }
    std::string words() const {
        const auto text = [](int count, const char* unit) {
            return std::to_string(count) + " " + unit + (count == 1 ? "" : "s");
        };
        const int d = std::abs(days);
        const int s = std::abs(seconds);
        if (d > 0) return text(d, "day");
        if (s >= 3600) return text(s / 3600, "hour");
        if (s >= 60) return text(s / 60, "minute");
        return text(s, "second");
    }
};

// From now; nullopt for a time that is none.
std::optional<Span> until(const ASN1_TIME* time) {
    Span span;
    if (!ASN1_TIME_diff(&span.days, &span.seconds, nullptr, time)) return std::nullopt;
    return span;
}

std::string common_name(const X509_NAME* name) {
    std::array<char, 128> text{};
    const int length =
        X509_NAME_get_text_by_NID(name, NID_commonName, text.data(), static_cast<int>(text.size()));
    if (length > 0) return quoted({text.data(), static_cast<std::size_t>(length)}, most_of_a_name);
    return "a nameless one";
}

std::string text_of(const GENERAL_NAME& name) {
    if (name.type == GEN_DNS) {
        const unsigned char* bytes = ASN1_STRING_get0_data(name.d.dNSName);
        const int length = ASN1_STRING_length(name.d.dNSName);
        return quoted({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length)},
                      most_of_a_name);
    }
    if (name.type != GEN_IPADD) return {};
    const unsigned char* bytes = ASN1_STRING_get0_data(name.d.iPAddress);
    switch (ASN1_STRING_length(name.d.iPAddress)) {
        case 4:
            return Address::v4({bytes[0], bytes[1], bytes[2], bytes[3]}).to_string();
        case 16: {
            Address::Bytes all;
            std::copy(bytes, bytes + all.size(), all.begin());
            return Address(all).to_string();
        }
        default:
            return {};
    }
}

// `"a.example", "b.example" and 5 more`: those that a client goes by.
std::string names_of(const X509* certificate) {
    const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
        static_cast<GENERAL_NAMES*>(
            X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
        GENERAL_NAMES_free);
    std::string out;
    int found = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const std::string text = text_of(*sk_GENERAL_NAME_value(names.get(), i));
        if (text.empty() || ++found > most_names) continue;
        out += (out.empty() ? "" : ", ") + text;
    }
    if (found > most_names) out += " and " + std::to_string(found - most_names) + " more";
    return found > 0 ? out : common_name(X509_get_subject_name(certificate));
}

std::string whose(X509_STORE_CTX* store, const X509* certificate) {
    if (X509_STORE_CTX_get_error_depth(store) == 0) return "certificate";
    return "certificate of its issuer " + common_name(X509_get_subject_name(certificate));
}

}  // namespace

TlsError take_tls_error() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return {.words = "no reason given"};
    if (ERR_SYSTEM_ERROR(code))
        return {.words = std::generic_category().message(static_cast<int>(ERR_GET_REASON(code)))};
    const char* reason = ERR_reason_error_string(code);
    std::string words = reason ? plain(reason) : "error " + std::to_string(code);
    const bool alert =
        ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET;
    // "sslv3 alert handshake failure", whatever the version.
    const auto at = words.find("alert ");
    if (alert && at != words.npos) words.erase(0, at + 6);
    return {.words = std::move(words), .alert = alert};
}

std::string certificate_words(X509_STORE_CTX* store, const std::string& name) {
    const X509* certificate = X509_STORE_CTX_get_current_cert(store);
    const int error = X509_STORE_CTX_get_error(store);
    std::string otherwise = "certificate: " + plain(X509_verify_cert_error_string(error), 100);
    if (!certificate) return otherwise;
    const std::string what = whose(store, certificate);
    switch (error) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            if (const auto span = until(X509_get0_notAfter(certificate)))
                return what + " expired " + span->words() + " ago";
            return what + " has expired";
        case X509_V_ERR_CERT_NOT_YET_VALID:
            if (const auto span = until(X509_get0_notBefore(certificate)))
                return what + " is not valid yet, in " + span->words() + " it will be";
            return what + " is not valid yet";
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return "certificate is for " + names_of(certificate) + ", not for " + quoted(name);
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return "certificate is self-signed";
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
            return "certificate comes from a CA that is not trusted: " +
                   common_name(X509_get_subject_name(certificate));
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return "certificate has an unknown issuer: " +
                   common_name(X509_get_issuer_name(certificate));
        default:
            return otherwise;
    }
}

std::optional<std::string> expiry_words(const X509* certificate, model::Milliseconds before) {
    const auto left = until(X509_get0_notAfter(certificate));
    if (!left || before.count() == 0 || left->length() > before) return std::nullopt;
    if (left->is_past()) return "certificate expired " + left->words() + " ago";
    return "certificate expires in " + left->words();
}

}  // namespace bascule::health
