// SPDX-License-Identifier: Apache-2.0
#include "sync/tls.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sys/ioctl.h>

#include <string_view>

#include "sync/key_schedule.h"
#include "tests/unit/sync/tls_ends.h"
#include "tests/unit/sync/wire_bytes.h"

namespace bascule::sync {
namespace {

using test::bytes_of;
using test::keys_of;
using test::SocketPair;
using test::TlsEnds;
using testing::Test;
using Step = TlsSession::Step;
using Contexts = std::shared_ptr<const TlsContexts>;

Contexts lb1(const ClusterKeys& keys = keys_of({1}), const std::string& cluster = "shop") {
    return std::make_shared<TlsContexts>(keys, cluster, "lb1",
                                         std::vector<std::string>{"lb2", "lb3"});
}

Contexts lb2(const ClusterKeys& keys = keys_of({1}), const std::string& cluster = "shop") {
    return std::make_shared<TlsContexts>(keys, cluster, "lb2",
                                         std::vector<std::string>{"lb1", "lb3"});
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

void expect_passes(TlsSession& from, TlsSession& to, const std::string& text) {
    std::size_t count = 0;
    ASSERT_EQ(from.write(bytes_of(text), count), Step::done);
    ASSERT_EQ(count, text.size());
    std::string read(text.size() + 1, '\0');
    ASSERT_EQ(to.read({reinterpret_cast<std::uint8_t*>(read.data()), read.size()}, count),
              Step::done);
    EXPECT_EQ(read.substr(0, count), text);
}

TEST(Tls, TwoNodesOfOneKey) {
    TlsEnds ends(lb1(), lb2(), "lb2");
    ASSERT_TRUE(ends.shake_hands()) << ends.client->problem() << ends.server->problem();
    EXPECT_EQ(ends.client->peer(), "lb2");
    EXPECT_EQ(ends.server->peer(), "lb1");
    expect_passes(*ends.client, *ends.server, "from lb1");
    expect_passes(*ends.server, *ends.client, "from lb2");
}

TEST(Tls, NothingCanBeReadOfIt) {
    TlsEnds ends(lb1(), lb2(), "lb2");
    ASSERT_TRUE(ends.shake_hands());
    std::size_t count = 0;
    ASSERT_EQ(ends.client->write(bytes_of("a secret of the shop"), count), Step::done);
    std::string raw(4096, '\0');
    const ssize_t size = recv(ends.sockets.fds[1], raw.data(), raw.size(), 0);
    ASSERT_GT(size, 20);
    EXPECT_FALSE(contains(raw, "secret"));
}

TEST(Tls, BothKeysAreAcceptedWhileRolling) {
    const auto old_and_new = keys_of({1, 2});
    const auto new_and_old = keys_of({2, 1});
    EXPECT_TRUE(TlsEnds(lb1(old_and_new), lb2(), "lb2").shake_hands());
    EXPECT_TRUE(TlsEnds(lb1(), lb2(old_and_new), "lb2").shake_hands());
    EXPECT_TRUE(TlsEnds(lb1(new_and_old), lb2(old_and_new), "lb2").shake_hands());
    EXPECT_TRUE(TlsEnds(lb1(old_and_new), lb2(new_and_old), "lb2").shake_hands());
    EXPECT_TRUE(TlsEnds(lb1(keys_of({2})), lb2(new_and_old), "lb2").shake_hands());
    EXPECT_FALSE(TlsEnds(lb1(new_and_old), lb2(), "lb2").shake_hands());
}

TEST(Tls, OtherKeysClustersAndNodesAreRefused) {
    TlsEnds key(lb1(keys_of({9})), lb2(), "lb2");
    EXPECT_FALSE(key.shake_hands());
    EXPECT_TRUE(contains(key.server->problem(), "a node or a key that is not known here"))
        << key.server->problem();
    EXPECT_TRUE(contains(key.client->problem(), "does not accept \"bascule/1/shop/lb1/"))
        << key.client->problem();

    TlsEnds cluster(lb1(keys_of({1}), "bar"), lb2(), "lb2");
    EXPECT_FALSE(cluster.shake_hands());
    EXPECT_TRUE(contains(cluster.server->problem(), "of another cluster than shop"))
        << cluster.server->problem();

    const Contexts alien =
        std::make_shared<TlsContexts>(keys_of({1}), "shop", "lb0", std::vector<std::string>{"lb2"});
    TlsEnds node(alien, lb2(), "lb2");
    EXPECT_FALSE(node.shake_hands());
    EXPECT_TRUE(contains(node.server->problem(), "not known here")) << node.server->problem();
    EXPECT_TRUE(node.server->peer().empty());
}

// Names are part of the key: lb2 cannot be taken for lb3 by who meant lb3.
TEST(Tls, AnotherNodeCannotAnswer) {
    TlsEnds ends(lb1(), lb2(), "lb3");
    EXPECT_FALSE(ends.shake_hands());
}

TEST(Tls, OnlyTheLesserNameConnects) {
    const Contexts lb3 = std::make_shared<TlsContexts>(keys_of({1}), "shop", "lb3",
                                                       std::vector<std::string>{"lb1", "lb2"});
    TlsEnds ends(lb3, lb2(), "lb2");
    EXPECT_FALSE(ends.shake_hands());
    EXPECT_TRUE(contains(ends.server->problem(), "lb3 must not connect")) << ends.server->problem();
    // What a node says to itself is not believed either.
    TlsEnds mirror(lb1(), lb1(), "lb2");
    EXPECT_FALSE(mirror.shake_hands());
}

TEST(Tls, KeysAreRenewed) {
    const Contexts often = std::make_shared<TlsContexts>(keys_of({1}), "shop", "lb1",
                                                         std::vector<std::string>{"lb2"}, 2);
    TlsEnds ends(often, lb2(), "lb2");
    ASSERT_TRUE(ends.shake_hands());
    std::size_t count = 0;
    for (int i = 0; i < 3; ++i)
        ASSERT_EQ(ends.client->write(bytes_of("x"), count), Step::done);
    int waiting = 0;
    ASSERT_EQ(ioctl(ends.sockets.fds[1], FIONREAD, &waiting), 0);
    // Three records of one byte, and one that says that the key is another now.
    EXPECT_EQ(waiting, 3 * (5 + 1 + 1 + 16) + (5 + 5 + 1 + 16));
    std::uint8_t byte = 0;
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(ends.server->read({&byte, 1}, count), Step::done) << i;
    for (int i = 0; i < 20; ++i)
        expect_passes(*ends.client, *ends.server, "still understood");
    expect_passes(*ends.server, *ends.client, "the other way as well");
}

TEST(Tls, EndsAreSeen) {
    TlsEnds polite(lb1(), lb2(), "lb2");
    ASSERT_TRUE(polite.shake_hands());
    polite.client->say_end();
    std::uint8_t byte = 0;
    std::size_t count = 0;
    EXPECT_EQ(polite.server->read({&byte, 1}, count), Step::ended);

    TlsEnds killed(lb1(), lb2(), "lb2");
    ASSERT_TRUE(killed.shake_hands());
    killed.sockets.close_one(0);
    EXPECT_EQ(killed.server->read({&byte, 1}, count), Step::ended);
    Step step = Step::done;
    for (int i = 0; i < 2 && step == Step::done; ++i)
        step = killed.server->write(bytes_of("to nobody"), count);  // and no SIGPIPE
    EXPECT_EQ(step, Step::failed);
    EXPECT_TRUE(killed.server->broken());
}

TEST(Tls, WhatIsNotTlsIsToldSo) {
    SocketPair sockets;
    const auto server = lb2()->server(sockets.fds[1]);
    const std::string_view text = "GET / HTTP/1.1\r\nHost: lb2\r\n\r\n";
    ASSERT_EQ(send(sockets.fds[0], text.data(), text.size(), 0), std::ssize(text));
    EXPECT_EQ(server->handshake(), Step::failed);
    EXPECT_EQ(server->problem(), "what came is not TLS");
}

TEST(Tls, DamagedRecordsEndIt) {
    TlsEnds ends(lb1(), lb2(), "lb2");
    ASSERT_TRUE(ends.shake_hands());
    std::size_t count = 0;
    ASSERT_EQ(ends.client->write(bytes_of("hello"), count), Step::done);
    SocketPair wire;
    std::array<char, 256> record{};
    const ssize_t size = recv(ends.sockets.fds[1], record.data(), record.size(), 0);
    ASSERT_GT(size, 5);
    record[static_cast<std::size_t>(size) - 1] ^= 1;
    ASSERT_EQ(send(ends.sockets.fds[0], record.data(), static_cast<std::size_t>(size), 0), size);
    std::uint8_t byte = 0;
    EXPECT_EQ(ends.server->read({&byte, 1}, count), Step::failed);
}

// ---- others' TLS
// ---------------------------------------------------------------------------------

struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
};
template <typename T>
using Owned = std::unique_ptr<T, FreeSsl>;

// A foreign implementation at one end, ours at the other.
struct Foreign {
    explicit Foreign(const SSL_METHOD* method) : context(SSL_CTX_new(method)) {}

    // Whether ours came to believe in it.
    bool meets(TlsSession& ours, int fd, bool as_client) {
        ssl.reset(SSL_new(context.get()));
        SSL_set_fd(ssl.get(), fd);
        if (as_client)
            SSL_set_connect_state(ssl.get());
        else
            SSL_set_accept_state(ssl.get());
        Step step = Step::want_read;
        for (int round = 0; round < 10 && test::wants(step); ++round) {
            SSL_do_handshake(ssl.get());
            step = ours.handshake();
        }
        return step == Step::done;
    }

    Owned<SSL_CTX> context;
    Owned<SSL> ssl;
};

void give_certificate(SSL_CTX* context) {
    const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
    const Owned<X509> certificate(X509_new());
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    ASSERT_EQ(SSL_CTX_use_certificate(context, certificate.get()), 1);
    ASSERT_EQ(SSL_CTX_use_PrivateKey(context, key.get()), 1);
}

TEST(TlsForeign, ClientOfAnOlderTlsIsRefused) {
    SocketPair sockets;
    const auto server = lb2()->server(sockets.fds[1]);
    Foreign client(TLS_client_method());
    SSL_CTX_set_max_proto_version(client.context.get(), TLS1_2_VERSION);
    EXPECT_FALSE(client.meets(*server, sockets.fds[0], true));
    EXPECT_TRUE(contains(server->problem(), "unsupported protocol")) << server->problem();
}

TEST(TlsForeign, ClientWithACertificateIsRefused) {
    SocketPair sockets;
    const auto server = lb2()->server(sockets.fds[1]);
    Foreign client(TLS_client_method());
    give_certificate(client.context.get());
    EXPECT_FALSE(client.meets(*server, sockets.fds[0], true));
    EXPECT_EQ(server->problem(), "speaks TLS without a key of a cluster");
}

TEST(TlsForeign, ServerWithACertificateIsRefused) {
    SocketPair sockets;
    const auto client = lb1()->client(sockets.fds[0], "lb2");
    Foreign server(TLS_server_method());
    give_certificate(server.context.get());
    EXPECT_FALSE(server.meets(*client, sockets.fds[1], false));
    EXPECT_EQ(client->problem(), "does not know the cluster's key: it shows a certificate instead");
}

// Whoever has seen an identity on the wire can say it; the key behind it is another matter.
SecretKey claimed_psk{};
std::string claimed_identity;

int claim(SSL* ssl, const EVP_MD*, const unsigned char** identity, std::size_t* length,
          SSL_SESSION** session) {
    const unsigned char suite[] = {0x13, 0x02};
    *session = SSL_SESSION_new();
    SSL_SESSION_set1_master_key(*session, claimed_psk.data(), claimed_psk.size());
    SSL_SESSION_set_cipher(*session, SSL_CIPHER_find(ssl, suite));
    SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION);
    *identity = reinterpret_cast<const unsigned char*>(claimed_identity.data());
    *length = claimed_identity.size();
    return 1;
}

bool claims(const std::string& identity, const SecretKey& psk, std::string* problem = nullptr) {
    claimed_identity = identity;
    claimed_psk = psk;
    SocketPair sockets;
    const auto server = lb2()->server(sockets.fds[1]);
    Foreign client(TLS_client_method());
    SSL_CTX_set_psk_use_session_callback(client.context.get(), claim);
    const bool believed = client.meets(*server, sockets.fds[0], true);
    if (problem) *problem = server->problem();
    return believed;
}

TEST(TlsForeign, AnIdentityWithoutItsKeyIsRefused) {
    char id[9] = {};
    std::snprintf(id, sizeof id, "%08x", key_id(test::secret(1)));
    const std::string identity = std::string("bascule/1/shop/lb1/") + id;
    const SecretKey right = stream_key(test::secret(1), "shop", "lb1", "lb2");
    EXPECT_TRUE(claims(identity, right));  // the description of what goes over the wire is true
    EXPECT_FALSE(claims(identity, stream_key(test::secret(2), "shop", "lb1", "lb2")));
    EXPECT_FALSE(claims(identity, stream_key(test::secret(1), "shop", "lb3", "lb2")));
    EXPECT_FALSE(claims(identity, stream_key(test::secret(1), "bar", "lb1", "lb2")));
    EXPECT_FALSE(claims(identity + "0", right));
    std::string problem;
    EXPECT_FALSE(claims("\x1b[2J\n", right, &problem));
    EXPECT_EQ(problem, "says it is \"?[2J?\", which is no node of a cluster");
}

TEST(TlsForeign, AnotherSuiteIsRefused) {
    SocketPair sockets;
    const auto server = lb2()->server(sockets.fds[1]);
    Foreign client(TLS_client_method());
    SSL_CTX_set_ciphersuites(client.context.get(), "TLS_AES_128_GCM_SHA256");
    EXPECT_FALSE(client.meets(*server, sockets.fds[0], true));
}

}  // namespace
}  // namespace bascule::sync
