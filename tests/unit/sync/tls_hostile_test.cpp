// SPDX-License-Identifier: Apache-2.0
// What one end of TLS can make the other one do: strangers before a key is shown, and who has it.
#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "sync/key_schedule.h"
#include "sync/tls.h"
#include "tests/unit/sync/tls_ends.h"

namespace bascule::sync {
namespace {

using test::keys_of;
using test::SocketPair;
using Step = TlsSession::Step;

std::shared_ptr<const TlsContexts> lb2() {
    return std::make_shared<TlsContexts>(keys_of({1}), "shop", "lb2",
                                         std::vector<std::string>{"lb1", "lb3"});
}

// ---- a ClientHello by hand (RFC 8446 4.1.2)
// ------------------------------------------------------

void add_number(std::string& to, std::size_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        to += static_cast<char>(value >> shift & 0xff);
}

std::string sized(const std::string& content, int bytes) {
    std::string out;
    add_number(out, content.size(), bytes);
    return out + content;
}

std::string extension(std::size_t type, const std::string& content) {
    std::string out;
    add_number(out, type, 2);
    return out + sized(content, 2);
}

// Records of all that a server needs to look for a PSK, and of so many identities.
std::string client_hello(const std::vector<std::string>& identities) {
    using namespace std::string_literals;
    std::string offered;
    for (const std::string& each : identities)
        offered += sized(each, 2) + std::string(4, '\0');
    const std::string binders = sized(std::string(48, 'b'), 1);
    const std::string extensions =
        extension(43, "\x02\x03\x04"s) + extension(10, "\x00\x02\x00\x1d"s) +
        extension(51, sized("\x00\x1d"s + sized(std::string(32, '\x09'), 2), 2)) +
        extension(45, "\x01\x01"s) + extension(41, sized(offered, 2) + sized(binders, 2));
    const std::string hello = "\x03\x03"s + std::string(32, 'r') + sized("", 1) +
                              sized("\x13\x02"s, 2) + sized("\x00"s, 1) + sized(extensions, 2);
    const std::string message = "\x01"s + sized(hello, 3);
    std::string out;
    for (std::size_t at = 0; at < message.size(); at += 16'000)
        out += "\x16\x03\x01"s + sized(message.substr(at, 16'000), 2);
    return out;
}

std::string problem_with(const std::vector<std::string>& identities) {
    SocketPair sockets;
    const auto server = lb2()->server(sockets.fds[1]);
    const std::string bytes = client_hello(identities);
    EXPECT_EQ(::send(sockets.fds[0], bytes.data(), bytes.size(), 0), std::ssize(bytes));
    Step step = Step::want_read;
    for (int round = 0; round < 100 && test::wants(step); ++round)
        step = server->handshake();
    EXPECT_EQ(step, Step::failed);
    EXPECT_EQ(server->peer(), "");
    return server->problem();
}

TEST(TlsHostile, AnIdentityThatIsNotKnownIsQuoted) {
    EXPECT_EQ(problem_with({"x"}), "says it is \"x\", which is no node of a cluster");
}

// Each of them is looked for on a thread that replicates sessions, and nothing is proven yet.
TEST(TlsHostile, NotEveryOneOfThousandIdentitiesIsLookedFor) {
    EXPECT_EQ(problem_with(std::vector<std::string>(9000, "x")),
              "offers 8 identities and more, none of a node");
}

// ---- who has the key
// -----------------------------------------------------------------------------

struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

int as_lb1(SSL* ssl, const EVP_MD*, const unsigned char** identity, std::size_t* length,
           SSL_SESSION** session) {
    static const std::string text = [] {
        char id[9] = {};
        std::snprintf(id, sizeof id, "%08x", key_id(test::secret(1)));
        return std::string("bascule/1/shop/lb1/") + id;
    }();
    const SecretKey psk = stream_key(test::secret(1), "shop", "lb1", "lb2");
    const unsigned char suite[] = {0x13, 0x02};
    *session = SSL_SESSION_new();
    SSL_SESSION_set1_master_key(*session, psk.data(), psk.size());
    SSL_SESSION_set_cipher(*session, SSL_CIPHER_find(ssl, suite));
    SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION);
    *identity = reinterpret_cast<const unsigned char*>(text.data());
    *length = text.size();
    return 1;
}

int waiting_at(int fd) {
    int out = 0;
    EXPECT_EQ(ioctl(fd, FIONREAD, &out), 0);
    return out;
}

// Records that hold nothing for us are read by OpenSSL itself. As long as they come, it would.
TEST(TlsHostile, NewKeysWithoutEndLetOthersHaveTheirTurn) {
    SocketPair sockets;
    const int room = 4 << 20;
    ASSERT_EQ(setsockopt(sockets.fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room), 0);
    const auto server = lb2()->server(sockets.fds[1]);
    const std::unique_ptr<SSL_CTX, FreeSsl> context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_psk_use_session_callback(context.get(), as_lb1);
    const std::unique_ptr<SSL, FreeSsl> client(SSL_new(context.get()));
    // Many records in one write to the socket, as who wants this would do it.
    BIO* const memory = BIO_new(BIO_s_mem());
    SSL_set_fd(client.get(), sockets.fds[0]);
    SSL_set_connect_state(client.get());
    Step step = Step::want_read;
    for (int round = 0; round < 10 && test::wants(step); ++round) {
        SSL_do_handshake(client.get());
        step = server->handshake();
    }
    ASSERT_EQ(step, Step::done) << server->problem();
    SSL_set0_wbio(client.get(), memory);
    constexpr int keys = 20'000;
    for (int i = 0; i < keys; ++i) {
        ASSERT_EQ(SSL_key_update(client.get(), SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        ASSERT_EQ(SSL_do_handshake(client.get()), 1);
    }
    ASSERT_EQ(SSL_write(client.get(), "x", 1), 1);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(memory, &bytes);
    long sent = 0;
    // As much as there is room for, whenever there is some.
    const auto send_more = [&] {
        while (sent < size) {
            const long part = std::min(size - sent, 32'768L);
            const ssize_t count =
                ::send(sockets.fds[0], bytes + sent, static_cast<std::size_t>(part), 0);
            if (count < 0) return;
            sent += count;
        }
    };
    send_more();
    ASSERT_GT(waiting_at(sockets.fds[1]), 400'000);
    std::uint8_t byte = 0;
    std::size_t count = 0;
    ASSERT_EQ(server->read({&byte, 1}, count), Step::want_read);
    EXPECT_GT(waiting_at(sockets.fds[1]), 0);  // it came back before all was read
    // And nothing is lost by it.
    Step read = Step::want_read;
    for (int round = 0; round < 1000 && test::wants(read); ++round) {
        send_more();
        read = server->read({&byte, 1}, count);
    }
    EXPECT_EQ(read, Step::done) << server->problem();
    EXPECT_EQ(byte, 'x');
}

}  // namespace
}  // namespace bascule::sync
