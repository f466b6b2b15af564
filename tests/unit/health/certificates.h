// SPDX-License-Identifier: Apache-2.0
// Certificates made for tests, and a TLS server with one.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include "hostile_server.h"

namespace bascule::health {

struct Certificate {
    std::shared_ptr<X509> x509;
    std::shared_ptr<EVP_PKEY> key;
};

struct CertificateOptions {
    std::string name = "www.example";                    // CN, and SAN if `alternative` is empty
    std::string alternative = "";                        // as in openssl.cnf: "DNS:a,IP:127.0.0.1"
    std::chrono::seconds from = -std::chrono::hours(1);  // validity, from now
    std::chrono::seconds until = std::chrono::hours(24 * 365);
    bool ca = false;
    bool rsa = false;  // else ECDSA
};

// Signed by `issuer`, or by itself.
inline Certificate make_certificate(const CertificateOptions& options,
                                    const Certificate* issuer = nullptr) {
    const auto check = [](bool good) {
        if (!good) throw std::runtime_error("OpenSSL made no certificate");
    };
    Certificate out{{X509_new(), X509_free},
                    {options.rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"), EVP_PKEY_free}};
    X509* x509 = out.x509.get();
    static long serial = 1;
    check(x509 && out.key && X509_set_version(x509, 2) &&
          ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++) &&
          X509_gmtime_adj(X509_getm_notBefore(x509), options.from.count()) &&
          X509_gmtime_adj(X509_getm_notAfter(x509), options.until.count()) &&
          X509_set_pubkey(x509, out.key.get()));
    X509_NAME* name = X509_get_subject_name(x509);
    check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                     reinterpret_cast<const unsigned char*>(options.name.c_str()),
                                     -1, -1, 0));
    check(X509_set_issuer_name(x509, issuer ? X509_get_subject_name(issuer->x509.get()) : name));
    const auto extend = [&](int kind, const std::string& value) {
        const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
            X509V3_EXT_nconf_nid(nullptr, nullptr, kind, value.c_str()), X509_EXTENSION_free);
        check(extension && X509_add_ext(x509, extension.get(), -1));
    };
    extend(NID_basic_constraints, options.ca ? "critical,CA:TRUE" : "CA:FALSE");
    if (!options.ca)
        extend(NID_subject_alt_name,
               options.alternative.empty() ? "DNS:" + options.name : options.alternative);
    check(X509_sign(x509, issuer ? issuer->key.get() : out.key.get(), EVP_sha256()) > 0);
    return out;
}

// Files in a directory of their own, gone with it.
class PemFiles {
public:
    PemFiles() {
        std::string path = std::filesystem::temp_directory_path() / "bascule-pem-XXXXXX";
        if (!::mkdtemp(path.data())) throw std::runtime_error("no temporary directory");
        path_ = path;
    }
    ~PemFiles() { std::filesystem::remove_all(path_); }
    PemFiles(const PemFiles&) = delete;
    PemFiles& operator=(const PemFiles&) = delete;

    std::string path(const std::string& name) const { return path_ / name; }

    std::string certificate(const std::string& name, const Certificate& from) const {
        return write(name, [&](FILE* file) { return PEM_write_X509(file, from.x509.get()); });
    }
    // `passphrase`: nullptr for none.
    std::string key(const std::string& name, const Certificate& from,
                    const char* passphrase = nullptr) const {
        return write(name, [&](FILE* file) {
            return PEM_write_PrivateKey(
                file, from.key.get(), passphrase ? EVP_aes_128_cbc() : nullptr,
                reinterpret_cast<const unsigned char*>(passphrase),
                passphrase ? static_cast<int>(std::string_view(passphrase).size()) : 0, nullptr,
                nullptr);
        });
    }
    std::string text(const std::string& name, const std::string& bytes) const {
        return write(name, [&](FILE* file) { return std::fputs(bytes.c_str(), file) >= 0; });
    }

private:
    template <typename Write>
    std::string write(const std::string& name, Write write_to) const {
        const std::string path = path_ / name;
        FILE* file = std::fopen(path.c_str(), "w");
        if (!file || !write_to(file)) throw std::runtime_error("cannot write " + path);
        std::fclose(file);
        return path;
    }

    std::filesystem::path path_;
};

// The server's side of one connection; `session` is nullptr where the handshake failed.
class TlsClient {
public:
    TlsClient(const Client& client, SSL_CTX* context) : session_(SSL_new(context)) {
        SSL_set_fd(session_, client.fd());
        good_ = SSL_accept(session_) == 1;
    }
    ~TlsClient() { SSL_free(session_); }
    TlsClient(const TlsClient&) = delete;
    TlsClient& operator=(const TlsClient&) = delete;

    bool good() const { return good_; }
    SSL* session() const { return session_; }
    std::string receive_request() const {
        std::string out;
        std::string chunk(4096, '\0');
        while (!out.ends_with("\r\n\r\n")) {
            const int count = SSL_read(session_, chunk.data(), static_cast<int>(chunk.size()));
            if (count <= 0) return {};
            out.append(chunk, 0, static_cast<std::size_t>(count));
        }
        return out;
    }
    bool send(std::string_view bytes) const {
        return SSL_write(session_, bytes.data(), static_cast<int>(bytes.size())) > 0;
    }

private:
    SSL* session_;
    bool good_ = false;
};

inline std::shared_ptr<SSL_CTX> server_context(const Certificate& certificate) {
    std::shared_ptr<SSL_CTX> out(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    if (!out || SSL_CTX_use_certificate(out.get(), certificate.x509.get()) != 1 ||
        SSL_CTX_use_PrivateKey(out.get(), certificate.key.get()) != 1)
        throw std::runtime_error("no TLS context of the server");
    return out;
}

// Parameters of a Diffie-Hellman group, by its name.
inline EVP_PKEY* make_group(const char* name) {
    const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
        EVP_PKEY_CTX_new_from_name(nullptr, "DH", nullptr), EVP_PKEY_CTX_free);
    EVP_PKEY* out = nullptr;
    if (EVP_PKEY_paramgen_init(context.get()) != 1 ||
        EVP_PKEY_CTX_set_group_name(context.get(), name) != 1 ||
        EVP_PKEY_paramgen(context.get(), &out) != 1)
        throw std::runtime_error("no Diffie-Hellman group");
    return out;
}

}  // namespace bascule::health
