// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

#include "sync/tls.h"

namespace bascule::sync {

namespace {

// From the socket in one step: what is not meant for us, such as a new key in every record, is
// otherwise read and thrown away by OpenSSL for as long as it comes, and others have no turn.
constexpr int most_receives = 4;

// Types of TLS records (RFC 8446 5.1): what a peer that speaks TLS begins with.
bool is_record(char first) {
    return first >= 0x14 && first <= 0x17;
}

std::string openssl_words() {
    const unsigned long code = ERR_peek_error();
    const char* reason = ERR_reason_error_string(code);
    return reason ? reason : "unknown failure";
}

bool is_alert() {
    return ERR_GET_REASON(ERR_peek_error()) > SSL_AD_REASON_OFFSET;
}

}  // namespace

TlsSession::TlsSession(std::shared_ptr<const TlsContexts> contexts, SSL_CTX* context, int fd,
                       std::string peer)
    : contexts_(std::move(contexts)),
      fd_(fd),
      client_(!peer.empty()),
      peer_(std::move(peer)),
      ssl_(SSL_new(context)) {
    BIO* bio = BIO_new(method());
    if (!ssl_ || !bio) {
        BIO_free(bio);
        throw std::bad_alloc();
    }
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_app_data(ssl_.get(), this);
    if (client_)
        SSL_set_connect_state(ssl_.get());
    else
        SSL_set_accept_state(ssl_.get());
}

TlsSession::~TlsSession() = default;

TlsSession& TlsSession::of(const SSL* ssl) {
    return *static_cast<TlsSession*>(SSL_get_app_data(ssl));
}

// The socket by recv() and send(), so that a broken one raises no signal.
BIO_METHOD* TlsSession::method() {
    static BIO_METHOD* const made = [] {
        BIO_METHOD* out = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
        if (!out) throw std::bad_alloc();
        BIO_meth_set_read(out, receive);
        BIO_meth_set_write(out, send);
        BIO_meth_set_ctrl(out, [](BIO*, int command, long, void*) -> long {
            return command == BIO_CTRL_FLUSH ? 1 : 0;
        });
        return out;
    }();
    return made;
}

int TlsSession::receive(BIO* bio, char* into, int size) {
    auto& self = *static_cast<TlsSession*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (self.receives_left_-- <= 0) {
        BIO_set_retry_read(bio);  // the socket is readable, and says so
        return -1;
    }
    const ssize_t count = ::recv(self.fd_, into, static_cast<std::size_t>(size), 0);
    if (count > 0) {
        if (!self.anything_came_) self.began_as_tls_ = is_record(into[0]);
        self.anything_came_ = true;
        return static_cast<int>(count);
    }
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    else
        self.error_ = count < 0 ? errno : 0;
    return static_cast<int>(count);
}

int TlsSession::send(BIO* bio, const char* bytes, int size) {
    auto& self = *static_cast<TlsSession*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const ssize_t count = ::send(self.fd_, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (count >= 0) return static_cast<int>(count);
    if (errno == EAGAIN || errno == EINTR)
        BIO_set_retry_write(bio);
    else
        self.error_ = errno;
    return -1;
}

TlsSession::Step TlsSession::step_of(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_NONE:
            return Step::done;
        case SSL_ERROR_WANT_READ:
            return Step::want_read;
        case SSL_ERROR_WANT_WRITE:
            return Step::want_write;
        case SSL_ERROR_ZERO_RETURN:
            return Step::ended;
        case SSL_ERROR_SYSCALL:
            if (error_ != 0) problem_ = std::generic_category().message(error_);
            return error_ == 0 ? Step::ended : Step::failed;
        default:
            // An end without close_notify: the other side was killed. No frame is half read by it
            // that would be taken for a whole one, so it is an end as any other.
            if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
                return Step::ended;
            problem_ = "TLS: " + openssl_words();
            return Step::failed;
    }
}

TlsSession::Step TlsSession::fail(std::string problem) {
    problem_ = std::move(problem);
    return Step::failed;
}

void TlsSession::begin_step() {
    ERR_clear_error();
    error_ = 0;
    receives_left_ = most_receives;
}

TlsSession::Step TlsSession::handshake() {
    begin_step();
    const Step step = step_of(SSL_do_handshake(ssl_.get()));
    if (step == Step::want_read || step == Step::want_write) return step;
    if (step != Step::done) return fail(handshake_problem(step));
    // Nothing else than the key of the two nodes has to count as a proof.
    if (SSL_session_reused(ssl_.get()) != 1 || peer_.empty())
        return fail("the handshake was done without the cluster's key");
    return Step::done;
}

std::string TlsSession::handshake_problem(Step step) const {
    if (!refused_.empty()) return refused_;
    if (anything_came_ && !began_as_tls_) return "what came is not TLS";
    if (step == Step::ended) return "closed in the TLS handshake";
    if (error_ != 0) return "in the TLS handshake: " + problem_;
    const int reason = ERR_GET_REASON(ERR_peek_error());
    if (client_ && reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE)
        return "does not accept \"" + identity_ + "\": is its key file or its cluster another one?";
    if (client_ && reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return "does not know the cluster's key: it shows a certificate instead";
    if (!client_ && reason == SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM)
        return "speaks TLS without a key of a cluster";
    return (is_alert() ? "TLS refused by the other side: " : "TLS handshake failed: ") +
           openssl_words();
}

TlsSession::Step TlsSession::read(std::span<std::uint8_t> into, std::size_t& count) {
    begin_step();
    count = 0;
    return step_of(SSL_read_ex(ssl_.get(), into.data(), into.size(), &count));
}

TlsSession::Step TlsSession::write(std::span<const std::uint8_t> bytes, std::size_t& count) {
    begin_step();
    count = 0;
    const Step step = step_of(SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count));
    if (step == Step::done && ++records_ >= contexts_->records_of_a_key_) renew_key();
    return step;
}

// Between two writes only: OpenSSL refuses it while one has to be repeated, and then it is done
// after the next.
void TlsSession::renew_key() {
    if (SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1) records_ = 0;
}

void TlsSession::say_end() {
    begin_step();
    SSL_shutdown(ssl_.get());
}

}  // namespace bascule::sync
