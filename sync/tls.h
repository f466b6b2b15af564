// SPDX-License-Identifier: Apache-2.0
// TLS of streams: 1.3 only (RFC 8446), an external PSK of the cluster's key with an ephemeral key
// exchange, TLS_AES_256_GCM_SHA384; no certificates, no tickets, no early data. Who has the PSK of
// two nodes is one of them: the identity that a client sends says which, and by which key,
// "bascule/1/CLUSTER/SENDER/keyid-hex".
//
// The node whose name is less is the client; a server accepts nobody else as one, so that nothing
// that a node says can be sent back to it. Thread: that of the streams.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sync/cluster_key.h"

namespace bascule::sync {

class TlsContexts;

// One connection. The socket is its maker's, non-blocking, and open longer than this.
class TlsSession {
public:
    enum class Step { done, want_read, want_write, ended, failed };

    TlsSession(std::shared_ptr<const TlsContexts> contexts, SSL_CTX* context, int fd,
               std::string peer);
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    // Until it is done nothing is proven.
    Step handshake();
    // `count` bytes with `done`.
    Step read(std::span<std::uint8_t> into, std::size_t& count);
    // Takes `count` bytes with `done`; after want_… it has to be called with the same bytes.
    Step write(std::span<const std::uint8_t> bytes, std::size_t& count);
    // Says that nothing more follows; whether it is sent nobody waits for.
    void say_end();

    // The other node; for a server only when the handshake is done.
    const std::string& peer() const { return peer_; }
    // After `failed`, and after `ended` in a handshake: what an operator should know.
    const std::string& problem() const { return problem_; }
    // That was the network's doing.
    bool broken() const { return error_ != 0; }

private:
    friend class TlsContexts;
    struct Free {
        void operator()(SSL* session) const { SSL_free(session); }
    };

    static TlsSession& of(const SSL* ssl);
    static BIO_METHOD* method();
    static int receive(BIO* bio, char* into, int size);
    static int send(BIO* bio, const char* bytes, int size);

    void begin_step();
    Step step_of(int result);
    Step fail(std::string problem);
    std::string handshake_problem(Step step) const;
    void renew_key();

    std::shared_ptr<const TlsContexts> contexts_;
    int fd_;
    int error_ = 0;  // errno of the last call that failed; 0: closed
    bool client_;
    bool began_as_tls_ = true;
    bool anything_came_ = false;
    int identities_ = 0;         // that the client has offered and nobody here has
    int receives_left_ = 0;      // in this step
    std::uint64_t records_ = 0;  // written since the key was renewed
    std::string peer_;
    std::string refused_;  // why the identity of a client was not accepted
    std::string identity_;
    std::string problem_;
    std::unique_ptr<SSL, Free> ssl_;
};

// What sessions are made by: the keys of one moment. Sessions keep it while they live, so another
// key file takes nothing from those that stand.
class TlsContexts : public std::enable_shared_from_this<TlsContexts> {
public:
    // A key of AES-GCM may seal 2^24.5 full records (RFC 8446 5.5); a stream can last for months.
    static constexpr std::uint64_t usual_records_of_a_key = 1ULL << 20;

    // `peers`: names of the other nodes. Throws std::runtime_error where OpenSSL lacks what it
    // takes.
    TlsContexts(ClusterKeys keys, std::string cluster, std::string self,
                std::vector<std::string> peers,
                std::uint64_t records_of_a_key = usual_records_of_a_key);

    // To a node whose name is greater.
    std::unique_ptr<TlsSession> client(int fd, const std::string& peer) const;
    std::unique_ptr<TlsSession> server(int fd) const;

private:
    friend class TlsSession;
    struct Free {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };
    using Context = std::unique_ptr<SSL_CTX, Free>;

    static Context make(const SSL_METHOD* method);
    static int use_psk(SSL* ssl, const EVP_MD* digest, const unsigned char** identity,
                       std::size_t* length, SSL_SESSION** session);
    static int find_psk(SSL* ssl, const unsigned char* identity, std::size_t length,
                        SSL_SESSION** session);

    // By which a peer may come in. Made beforehand: what strangers offer is compared, no more.
    struct Identity {
        std::string text;
        std::string sender;
        std::size_t key;  // index into `keys_`
    };

    std::string identity_of(const std::string& sender, const SecretKey& key) const;
    // The PSK's session, or nullptr and why not.
    SSL_SESSION* accept(SSL* ssl, std::string_view identity, std::string& peer,
                        std::string& why) const;
    SSL_SESSION* session_of(SSL* ssl, const SecretKey& key, const std::string& peer) const;

    ClusterKeys keys_;
    std::string cluster_;
    std::string self_;
    std::vector<std::string> peers_;
    std::uint64_t records_of_a_key_;
    std::string own_identity_;
    std::vector<Identity> identities_;
    Context client_;
    Context server_;
};

}  // namespace bascule::sync
