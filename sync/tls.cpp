// SPDX-License-Identifier: Apache-2.0
#include "sync/tls.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>
#include <utility>

#include "sync/codec_text.h"
#include "sync/key_schedule.h"

namespace bascule::sync {

namespace {

constexpr const char* suite = "TLS_AES_256_GCM_SHA384";
constexpr std::array<unsigned char, 2> suite_id = {0x13, 0x02};
constexpr std::string_view identity_head = "bascule/1/";
constexpr std::size_t most_quoted = 160;  // bytes of a stranger's identity in words
// A node offers one, and once more when it is asked to begin again. OpenSSL would ask for each of
// the 9,000 that a ClientHello can hold, on a thread that others need.
constexpr int most_identities = 8;

std::string hex_id(const SecretKey& key) {
    return fmt::format("{:08x}", key_id(key));
}

}  // namespace

TlsContexts::TlsContexts(ClusterKeys keys, std::string cluster, std::string self,
                         std::vector<std::string> peers, std::uint64_t records_of_a_key)
    : keys_(std::move(keys)),
      cluster_(std::move(cluster)),
      self_(std::move(self)),
      peers_(std::move(peers)),
      records_of_a_key_(records_of_a_key),
      client_(make(TLS_client_method())),
      server_(make(TLS_server_method())) {
    if (keys_.keys.empty()) throw std::logic_error("streams without a key");
    own_identity_ = identity_of(self_, keys_.keys.front());
    for (const std::string& peer : peers_) {
        for (std::size_t key = 0; key < keys_.keys.size(); ++key)
            identities_.push_back({identity_of(peer, keys_.keys[key]), peer, key});
    }
    SSL_CTX_set_psk_use_session_callback(client_.get(), use_psk);
    SSL_CTX_set_psk_find_session_callback(server_.get(), find_psk);
    // A server that shows a certificate instead of knowing the key: none is trusted.
    SSL_CTX_set_verify(client_.get(), SSL_VERIFY_PEER, nullptr);
}

TlsContexts::Context TlsContexts::make(const SSL_METHOD* method) {
    constexpr std::size_t read_ahead = 65'536;
    Context out(SSL_CTX_new(method));
    if (!out || SSL_CTX_set_min_proto_version(out.get(), TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(out.get(), TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(out.get(), suite) != 1 ||
        SSL_CTX_set_num_tickets(out.get(), 0) != 1)
        throw std::runtime_error("OpenSSL: there is no TLS 1.3 with TLS_AES_256_GCM_SHA384");
    SSL_CTX_set_session_cache_mode(out.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(out.get(), SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(out.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // Many small records a system call.
    SSL_CTX_set_read_ahead(out.get(), 1);
    SSL_CTX_set_default_read_buffer_len(out.get(), read_ahead);
    return out;
}

std::unique_ptr<TlsSession> TlsContexts::client(int fd, const std::string& peer) const {
    return std::make_unique<TlsSession>(shared_from_this(), client_.get(), fd, peer);
}

std::unique_ptr<TlsSession> TlsContexts::server(int fd) const {
    return std::make_unique<TlsSession>(shared_from_this(), server_.get(), fd, std::string());
}

std::string TlsContexts::identity_of(const std::string& sender, const SecretKey& key) const {
    return fmt::format("{}{}/{}/{}", identity_head, cluster_, sender, hex_id(key));
}

int TlsContexts::use_psk(SSL* ssl, const EVP_MD* digest, const unsigned char** identity,
                         std::size_t* length, SSL_SESSION** session) {
    *session = nullptr;
    TlsSession& self = TlsSession::of(ssl);
    // After a HelloRetryRequest the digest is settled; ours is the suite's, or nothing fits.
    if (digest && EVP_MD_get_type(digest) != NID_sha384) return 1;
    const TlsContexts& contexts = *self.contexts_;
    const SecretKey& key = contexts.keys_.keys.front();
    self.identity_ = contexts.own_identity_;
    *session = contexts.session_of(ssl, key, self.peer_);
    if (!*session) return 0;
    *identity = reinterpret_cast<const unsigned char*>(self.identity_.data());
    *length = self.identity_.size();
    return 1;
}

int TlsContexts::find_psk(SSL* ssl, const unsigned char* identity, std::size_t length,
                          SSL_SESSION** session) {
    TlsSession& self = TlsSession::of(ssl);
    const std::string_view text(reinterpret_cast<const char*>(identity), length);
    *session = self.contexts_->accept(ssl, text, self.peer_, self.refused_);
    if (*session || ++self.identities_ < most_identities) {
        // Without a session the handshake fails since there is no certificate either.
        return 1;
    }
    self.refused_ = fmt::format("offers {} identities and more, none of a node", most_identities);
    return 0;
}

SSL_SESSION* TlsContexts::accept(SSL* ssl, std::string_view identity, std::string& peer,
                                 std::string& why) const {
    for (const Identity& known : identities_) {
        if (identity != known.text) continue;
        if (known.sender > self_) {
            why = known.sender + " must not connect: the node whose name is less does";
            return nullptr;
        }
        peer = known.sender;
        return session_of(ssl, keys_.keys[known.key], known.sender);
    }
    const std::string named = shown(identity.substr(0, most_quoted));
    const std::string cluster = std::string(identity_head) + cluster_ + "/";
    if (!identity.starts_with(identity_head))
        why = "says it is \"" + named + "\", which is no node of a cluster";
    else if (!identity.starts_with(cluster))
        why = "says it is \"" + named + "\", which is of another cluster than " + cluster_;
    else
        why = "says it is \"" + named + "\": a node or a key that is not known here";
    return nullptr;
}

SSL_SESSION* TlsContexts::session_of(SSL* ssl, const SecretKey& key,
                                     const std::string& peer) const {
    const SSL_CIPHER* cipher = SSL_CIPHER_find(ssl, suite_id.data());
    SecretKey psk = stream_key(key, cluster_, self_, peer);
    SSL_SESSION* out = SSL_SESSION_new();
    const bool made = out && cipher &&
                      SSL_SESSION_set1_master_key(out, psk.data(), psk.size()) == 1 &&
                      SSL_SESSION_set_cipher(out, cipher) == 1 &&
                      SSL_SESSION_set_protocol_version(out, TLS1_3_VERSION) == 1;
    OPENSSL_cleanse(psk.data(), psk.size());
    if (made) return out;
    SSL_SESSION_free(out);
    return nullptr;
}

}  // namespace bascule::sync
