// SPDX-License-Identifier: Apache-2.0
#include "health/tls.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "health/http_request.h"
#include "health/tls_words.h"
#include "health/words.h"

namespace bascule::health {

namespace {

// What OpenSSL may read in one step: a server that never stops does not keep it in its own loops.
constexpr std::size_t most_a_step = 65'536;

// In a group of the server's own making what is computed grows with the cube of its size: with
// 10,000 bits, which OpenSSL would do, it is most of a second of this thread.
constexpr int most_dh_bits = 4096;

// Types of TLS records, RFC 8446 5.1: what an answer in TLS begins with.
bool is_record(char first) {
    return first >= 0x14 && first <= 0x17;
}

class TlsWire final : public Wire {
public:
    TlsWire(SSL_CTX* context, int fd, const model::HealthConfig& options);

    Step open() override;
    Step read(std::span<char> into) override;
    Step write(std::string_view bytes) override;
    Outcome fault() const override { return fault_; }
    std::string warning() const override { return warning_; }

private:
    struct Free {
        void operator()(SSL* session) const { SSL_free(session); }
    };

    static BIO_METHOD* method();
    static TlsWire& of(BIO* bio) { return *static_cast<TlsWire*>(BIO_get_data(bio)); }
    static int receive(BIO* bio, char* into, int size);
    static int send(BIO* bio, const char* bytes, int size);
    static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH; }
    static int on_verify(int good, X509_STORE_CTX* store);
    static int on_security(const SSL* session, const SSL_CTX* context, int operation, int bits,
                           int id, void* other, void* extra);

    void begin_step();
    Step outcome_of(int result);
    Outcome handshake_fault(const Step& step) const;

    int fd_;
    std::string name_;
    model::Milliseconds warn_before_;
    std::size_t allowance_ = 0;  // bytes left of this step
    int error_ = 0;              // errno of the last call that failed; 0: closed
    std::string first_bytes_;    // of the answer
    std::string refused_;        // what was wrong with the certificate
    int refused_dh_bits_ = 0;    // of a group that was too large
    TlsError last_;
    Outcome fault_;
    std::string warning_;
    std::unique_ptr<SSL, Free> session_;
};

TlsWire::TlsWire(SSL_CTX* context, int fd, const model::HealthConfig& options)
    : fd_(fd),
      name_(tls_name(options)),
      warn_before_(options.expiry_warning),
      session_(SSL_new(context)) {
    BIO* bio = BIO_new(method());
    if (!session_ || !bio) throw std::bad_alloc();
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(session_.get(), bio, bio);
    SSL_set_app_data(session_.get(), this);
    SSL_set_connect_state(session_.get());
    SSL_set_security_callback(session_.get(), on_security);
    const bool is_address = Address::parse(name_).has_value();
    if (!name_.empty() && !is_address)  // SSL_set_tlsext_host_name() has an old cast
        SSL_ctrl(session_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                 name_.data());
    if (!options.verify) return;
    SSL_set_verify(session_.get(), SSL_VERIFY_PEER, on_verify);
    if (is_address)
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session_.get()), name_.c_str());
    else if (!name_.empty())
        SSL_set1_host(session_.get(), name_.c_str());
}

// The socket, read by recv() and send() so that a broken one raises no signal and its first bytes
// are known.
BIO_METHOD* TlsWire::method() {
    static BIO_METHOD* const made = [] {
        BIO_METHOD* out = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "probe");
        if (!out) throw std::bad_alloc();
        BIO_meth_set_read(out, receive);
        BIO_meth_set_write(out, send);
        BIO_meth_set_ctrl(out, control);
        return out;
    }();
    return made;
}

int TlsWire::receive(BIO* bio, char* into, int size) {
    constexpr std::size_t most_first = 24;
    TlsWire& self = of(bio);
    BIO_clear_retry_flags(bio);
    const std::size_t most = std::min(static_cast<std::size_t>(size), self.allowance_);
    const ssize_t count = most > 0 ? ::recv(self.fd_, into, most, 0) : -1;
    if (count > 0) {
        self.allowance_ -= static_cast<std::size_t>(count);
        if (self.first_bytes_.empty())
            self.first_bytes_.assign(into, std::min(static_cast<std::size_t>(count), most_first));
        return static_cast<int>(count);
    }
    if (most == 0 || (count < 0 && (errno == EAGAIN || errno == EINTR))) {
        BIO_set_retry_read(bio);
        return -1;
    }
    self.error_ = count < 0 ? errno : 0;
    return static_cast<int>(count);
}

int TlsWire::send(BIO* bio, const char* bytes, int size) {
    TlsWire& self = of(bio);
    BIO_clear_retry_flags(bio);
    const ssize_t count = ::send(self.fd_, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (count >= 0) return static_cast<int>(count);
    if (errno == EAGAIN || errno == EINTR)
        BIO_set_retry_write(bio);
    else
        self.error_ = errno;
    return -1;
}

int TlsWire::on_verify(int good, X509_STORE_CTX* store) {
    if (good) return good;
    const auto* session =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto& self = *static_cast<TlsWire*>(SSL_get_app_data(session));
    if (self.refused_.empty()) self.refused_ = certificate_words(store, self.name_);
    return 0;
}

int TlsWire::on_security(const SSL* session, const SSL_CTX* context, int operation, int bits,
                         int id, void* other, void* extra) {
    if (operation == SSL_SECOP_TMP_DH && other) {
        const int size = EVP_PKEY_get_bits(static_cast<const EVP_PKEY*>(other));
        if (size > most_dh_bits) {
            static_cast<TlsWire*>(SSL_get_app_data(session))->refused_dh_bits_ = size;
            return 0;
        }
    }
    // As usual but for that.
    const auto usual = SSL_CTX_get_security_callback(SSL_get_SSL_CTX(session));
    return usual(session, context, operation, bits, id, other, extra);
}

void TlsWire::begin_step() {
    ERR_clear_error();
    allowance_ = most_a_step;
    error_ = 0;
}

Step TlsWire::outcome_of(int result) {
    switch (SSL_get_error(session_.get(), result)) {
        case SSL_ERROR_NONE:
            return {};
        case SSL_ERROR_WANT_READ:
            return {.kind = Step::want_read};
        case SSL_ERROR_WANT_WRITE:
            return {.kind = Step::want_write};
        case SSL_ERROR_ZERO_RETURN:
            return {.kind = Step::ended};
        case SSL_ERROR_SYSCALL:
            return error_ == 0 ? Step{.kind = Step::ended}
                               : Step{.kind = Step::broken, .error = error_};
        default:
            last_ = take_tls_error();
            fault_ = failed(Failure::tls,
                            (last_.alert ? "TLS ended by the server: " : "TLS: ") + last_.words);
            return {.kind = Step::fault};
    }
}

Step TlsWire::open() {
    begin_step();
    const Step step = outcome_of(SSL_do_handshake(session_.get()));
    if (step.wants()) return step;
    if (step.kind != Step::done) {
        fault_ = handshake_fault(step);
        return {.kind = Step::fault};
    }
    const X509* certificate = SSL_get0_peer_certificate(session_.get());
    if (certificate) warning_ = expiry_words(certificate, warn_before_).value_or("");
    return step;
}

Outcome TlsWire::handshake_fault(const Step& step) const {
    if (!refused_.empty()) return failed(Failure::certificate, refused_);
    if (refused_dh_bits_ > 0)
        return failed(Failure::tls, "TLS handshake failed: the server's Diffie-Hellman group has " +
                                        std::to_string(refused_dh_bits_) + " bits, more than " +
                                        std::to_string(most_dh_bits));
    if (!first_bytes_.empty() && !is_record(first_bytes_.front()))
        return failed(Failure::tls, "no TLS: answer begins with " + quoted(first_bytes_));
    if (step.kind == Step::ended)
        return failed(Failure::tls, "connection closed in the TLS handshake");
    if (step.kind == Step::broken)
        return failed(Failure::tls, "connection reset in the TLS handshake");
    return failed(
        Failure::tls,
        (last_.alert ? "TLS refused by the server: " : "TLS handshake failed: ") + last_.words);
}

Step TlsWire::read(std::span<char> into) {
    begin_step();
    std::size_t count = 0;
    const int result = SSL_read_ex(session_.get(), into.data(), into.size(), &count);
    Step step = outcome_of(result);
    step.count = count;
    return step;
}

Step TlsWire::write(std::string_view bytes) {
    begin_step();
    std::size_t count = 0;
    const int result = SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &count);
    Step step = outcome_of(result);
    step.count = count;
    return step;
}

Error file_error(const char* key, const std::string& file) {
    return Error(std::string(key) + " " + quoted(file, 100) + ": " + take_tls_error().words);
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::make(const model::HealthConfig& options) {
    constexpr std::string_view protocols = "\x08http/1.1";
    ERR_clear_error();
    auto out = std::make_shared<TlsContext>();
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    if (!context) return failure("TLS: " + take_tls_error().words);
    out->context_.reset(context);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    // Many servers end without a close_notify; where a body ends is known from HTTP.
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(protocols.data()),
                            static_cast<unsigned>(protocols.size()));
    // A key with a passphrase is an error, not a question on the terminal.
    SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return -1; });
    if (options.ca.empty())
        SSL_CTX_set_default_verify_paths(context);
    else if (SSL_CTX_load_verify_file(context, options.ca.c_str()) != 1)
        return failure(file_error("ca", options.ca));
    if (options.certificate.empty()) return out;
    if (SSL_CTX_use_certificate_chain_file(context, options.certificate.c_str()) != 1)
        return failure(file_error("certificate", options.certificate));
    if (SSL_CTX_use_PrivateKey_file(context, options.key.c_str(), SSL_FILETYPE_PEM) != 1)
        return failure(file_error("key", options.key));
    return out;
}

std::unique_ptr<Wire> TlsContext::make_wire(int fd, const model::HealthConfig& options) {
    // The request follows the end of the handshake, and must not wait until that is acknowledged.
    // Where it fails the probe is slower, no more.
    const int at_once = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    return std::make_unique<TlsWire>(context_.get(), fd, options);
}

Result<std::shared_ptr<TlsContext>> TlsContexts::get(const model::HealthConfig& options) {
    const Files files(options.ca, options.certificate, options.key, stamps_of_files(options));
    if (auto known = contexts_[files].lock()) return known;
    std::erase_if(contexts_, [](const auto& entry) { return entry.second.expired(); });
    auto made = TlsContext::make(options);
    if (made) contexts_[files] = *made;
    return made;
}

}  // namespace bascule::health
