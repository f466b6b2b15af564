// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <csignal>

#include "certificates.h"
#include "hostile_server.h"
#include "probe_bed.h"

namespace bascule::health {
namespace {

using namespace std::chrono_literals;

// Far above what a deadline may be missed by on a busy machine, far below "not at all".
constexpr auto patience = 4s;
constexpr std::string_view good_answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class HttpsProbe : public ::testing::Test {
protected:
    // The server's writes to a connection that was reset.
    static void SetUpTestSuite() { std::signal(SIGPIPE, SIG_IGN); }

    class Bed : public ProbeBed {
    public:
        explicit Bed(std::uint16_t port)
            : ProbeBed(make_http_probe, model::ProbeType::https, port) {
            target.health.timeout = 3s;  // a handshake under a sanitizer takes its time
            target.health.host = "www.example";
        }
    };

    static HostileServer::Serve answers(std::shared_ptr<SSL_CTX> context) {
        return [context = std::move(context)](const Client& client) {
            const TlsClient tls(client, context.get());
            if (!tls.good()) return;
            while (!tls.receive_request().empty())
                tls.send(good_answer);
        };
    }

    Outcome outcome_of(const Certificate& certificate,
                       const std::function<void(model::HealthConfig&)>& set = {}) {
        HostileServer server(answers(server_context(certificate)));
        Bed bed(server.port());
        bed.target.health.ca = ca_file;
        if (set) set(bed.target.health);
        return bed.run();
    }

    Certificate signed_by_ca(CertificateOptions options = {}) {
        return make_certificate(options, &ca);
    }

    PemFiles files;
    Certificate ca = make_certificate({.name = "Test CA", .ca = true});
    std::string ca_file = files.certificate("ca.pem", ca);
};

TEST_F(HttpsProbe, takes_a_good_certificate) {
    const Outcome outcome = outcome_of(signed_by_ca());
    EXPECT_TRUE(outcome.ok()) << outcome.words;
    EXPECT_EQ(outcome.words, "200 OK");
    EXPECT_EQ(outcome.warning, "");
}

TEST_F(HttpsProbe, says_what_is_wrong_with_a_certificate) {
    const auto words = [this](const CertificateOptions& options) {
        const Outcome outcome = outcome_of(signed_by_ca(options));
        EXPECT_EQ(outcome.failure, Failure::certificate);
        return outcome.words;
    };
    EXPECT_EQ(words({.from = -240h, .until = -73h}), "certificate expired 3 days ago");
    EXPECT_EQ(words({.from = -240h, .until = -150min}), "certificate expired 2 hours ago");
    EXPECT_EQ(words({.from = 24h * 2 + 10min}),
              "certificate is not valid yet, in 2 days it will be");
    EXPECT_EQ(words({.name = "other.example"}),
              "certificate is for \"other.example\", not for \"www.example\"");
    EXPECT_EQ(words({.alternative = "DNS:a,DNS:b,IP:10.0.0.1,IP:fd00::1,DNS:c"}),
              "certificate is for \"a\", \"b\" and 3 more, not for \"www.example\"");
}

TEST_F(HttpsProbe, says_whom_it_does_not_trust) {
    const Outcome self_signed = outcome_of(make_certificate({}));
    EXPECT_EQ(self_signed.failure, Failure::certificate);
    EXPECT_EQ(self_signed.words, "certificate is self-signed");
    const Certificate other = make_certificate({.name = "Other \"CA\"\n", .ca = true});
    const Outcome unknown = outcome_of(make_certificate({}, &other));
    EXPECT_EQ(unknown.failure, Failure::certificate);
    EXPECT_EQ(unknown.words, "certificate has an unknown issuer: \"Other .CA..\"");
    const auto by_the_system = [](model::HealthConfig& options) { options.ca.clear(); };
    EXPECT_EQ(outcome_of(signed_by_ca(), by_the_system).words,
              "certificate has an unknown issuer: \"Test CA\"");
}

TEST_F(HttpsProbe, names_an_issuer_that_has_expired) {
    ca = make_certificate({.name = "Old CA", .from = -240h, .until = -25h, .ca = true});
    ca_file = files.certificate("old.pem", ca);
    EXPECT_EQ(outcome_of(signed_by_ca()).words,
              "certificate of its issuer \"Old CA\" expired 1 day ago");
}

TEST_F(HttpsProbe, verifies_by_sni_host_or_address) {
    EXPECT_TRUE(outcome_of(signed_by_ca({.name = "sni.example"}), [](auto& options) {
                    options.sni = "sni.example";
                }).ok());
    EXPECT_TRUE(outcome_of(signed_by_ca({.alternative = "IP:127.0.0.1"}), [](auto& options) {
                    options.host = "127.0.0.1:8443";
                }).ok());
    EXPECT_EQ(outcome_of(signed_by_ca(), [](auto& options) { options.host = "10.1.1.1"; }).words,
              "certificate is for \"www.example\", not for \"10.1.1.1\"");
    // Nobody has said by which name: who signed it still counts.
    EXPECT_TRUE(outcome_of(signed_by_ca(), [](auto& options) { options.host.clear(); }).ok());
    EXPECT_FALSE(outcome_of(make_certificate({}), [](auto& o) { o.host.clear(); }).ok());
}

TEST_F(HttpsProbe, sends_the_name) {
    std::string seen = "nothing";
    const auto context = server_context(signed_by_ca());
    HostileServer server([&](const Client& client) {
        const TlsClient tls(client, context.get());
        const char* name = SSL_get_servername(tls.session(), TLSEXT_NAMETYPE_host_name);
        seen = name ? name : "";
        tls.receive_request();
        tls.send(good_answer);
        client.wait_for_close();
    });
    Bed bed(server.port());
    bed.target.health.ca = ca_file;
    EXPECT_TRUE(bed.run().ok());
    EXPECT_EQ(seen, "www.example");
}

TEST_F(HttpsProbe, takes_any_certificate_when_it_is_told_so) {
    const auto no_verify = [](model::HealthConfig& options) { options.verify = false; };
    EXPECT_TRUE(outcome_of(make_certificate({.name = "x"}), no_verify).ok());
    const Outcome expired = outcome_of(make_certificate({.from = -240h, .until = -73h}), no_verify);
    EXPECT_TRUE(expired.ok());
    EXPECT_EQ(expired.warning, "certificate expired 3 days ago");
}

TEST_F(HttpsProbe, warns_of_a_certificate_that_expires_soon) {
    const auto certificate = signed_by_ca({.until = 24h * 9 + 1h});
    const Outcome soon = outcome_of(certificate);
    EXPECT_TRUE(soon.ok());
    EXPECT_EQ(soon.warning, "certificate expires in 9 days");
    EXPECT_EQ(outcome_of(certificate, [](auto& o) { o.expiry_warning = 24h * 5; }).warning, "");
    EXPECT_EQ(outcome_of(certificate, [](auto& o) { o.expiry_warning = 0ms; }).warning, "");
}

TEST_F(HttpsProbe, shows_a_certificate_of_its_own) {
    const Certificate own = signed_by_ca({.name = "probe"});
    const auto context = server_context(signed_by_ca());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    ASSERT_EQ(SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr), 1);
    HostileServer server(answers(context));
    Bed with(server.port());
    with.target.health.ca = ca_file;
    with.target.health.certificate = files.certificate("own.pem", own);
    with.target.health.key = files.key("own.key", own);
    const Outcome outcome = with.run();
    EXPECT_TRUE(outcome.ok()) << outcome.words;
    Bed without(server.port());
    without.target.health.ca = ca_file;
    const Outcome refused = without.run();
    EXPECT_EQ(refused.failure, Failure::tls);
    EXPECT_EQ(refused.words, "TLS ended by the server: certificate required");
}

TEST_F(HttpsProbe, says_which_file_cannot_be_used) {
    const Certificate own = signed_by_ca();
    const Certificate other = signed_by_ca();
    const auto error = [](const std::string& ca_path, const std::string& certificate,
                          const std::string& key) {
        Bed bed(1);
        bed.target.health.ca = ca_path;
        bed.target.health.certificate = certificate;
        bed.target.health.key = key;
        const auto made = bed.try_to_make();
        return made ? "" : made.error().text();
    };
    const std::string certificate = files.certificate("c.pem", own);
    EXPECT_NE(error("/nowhere/ca.pem", "", "").find("ca \"/nowhere/ca.pem\": No such file"),
              std::string::npos);
    const std::string rubbish = files.text("rubbish.pem", "rubbish");
    EXPECT_EQ(error(rubbish, "", "").find("ca \"" + rubbish + "\": "), 0u);
    EXPECT_EQ(error("", rubbish, rubbish).find("certificate \"" + rubbish + "\": "), 0u);
    const std::string wrong = files.key("wrong.key", other);
    EXPECT_EQ(error("", certificate, wrong), "key \"" + wrong + "\": key values mismatch");
    const std::string locked = files.key("locked.key", own, "secret");
    EXPECT_EQ(error("", certificate, locked).find("key \"" + locked + "\": "), 0u);
    EXPECT_EQ(error("", certificate, files.key("c.key", own)), "");
}

TEST_F(HttpsProbe, says_what_is_no_tls) {
    const auto words = [this](const std::string& bytes, bool close, bool reset = false) {
        HostileServer server([&](const Client& client) {
            client.receive();
            client.send(bytes);
            if (reset) client.reset_on_close();
            if (!close) client.wait_for_close();
        });
        Bed bed(server.port());
        bed.target.health.timeout = 400ms;
        bed.target.health.ca = ca_file;
        const Outcome outcome = bed.run();
        EXPECT_LT(bed.took, patience);
        EXPECT_EQ(outcome.failure, close || !bytes.empty() ? Failure::tls : Failure::timed_out);
        return outcome.words;
    };
    EXPECT_EQ(words("HTTP/1.1 400 Bad Request\r\n\r\n", true),
              "no TLS: answer begins with \"HTTP/1.1 400 Bad Request\"");
    EXPECT_EQ(words("SSH-2.0-OpenSSH_9.2\r\n", false),
              "no TLS: answer begins with \"SSH-2.0-OpenSSH_9.2..\"");
    EXPECT_EQ(words(std::string(5000, '\x16'), false).find("TLS handshake failed: "), 0u);
    EXPECT_EQ(words("", true), "connection closed in the TLS handshake");
    EXPECT_EQ(words("", true, true), "connection reset in the TLS handshake");
    EXPECT_EQ(words("", false), "connected, no TLS handshake within 400ms");
    // An alert, fatal: handshake_failure (RFC 8446 6).
    EXPECT_EQ(words(std::string("\x15\x03\x03\x00\x02\x02\x28", 7), false),
              "TLS refused by the server: handshake failure");
}

TEST_F(HttpsProbe, survives_garbage_of_all_kinds) {
    const auto context = server_context(signed_by_ca());
    for (unsigned seed = 0; seed < 40; ++seed) {
        HostileServer server([&](const Client& client) {
            client.receive();
            std::string bytes("\x16\x03\x03\x40\x00", 5);
            unsigned state = seed * 2654435761u + 1;
            for (int i = 0; i < 40'000; ++i) {
                state = state * 1664525u + 1013904223u;
                bytes += static_cast<char>(state >> 24);
            }
            client.send(bytes);
            client.wait_for_close();
        });
        Bed bed(server.port());
        bed.target.health.ca = ca_file;
        bed.target.health.timeout = 200ms;
        EXPECT_FALSE(bed.run().ok());
    }
}

TEST_F(HttpsProbe, is_not_drowned_through_tls) {
    const auto context = server_context(signed_by_ca());
    HostileServer server([&](const Client& client) {
        const TlsClient tls(client, context.get());
        tls.receive_request();
        tls.send("HTTP/1.1 200 OK\r\n\r\n");
        const std::string block(65536, 'x');
        while (!client.over() && tls.send(block)) {
        }
    });
    Bed bed(server.port());
    bed.target.health.ca = ca_file;
    bed.run();
    const long before = resident_kib();
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(bed.run().words, "body longer than 262144 bytes");
    EXPECT_LT(resident_kib() - before, 64 * 1024);  // sanitizers keep what is freed a while
}

TEST_F(HttpsProbe, says_how_far_a_silent_server_came) {
    const auto context = server_context(signed_by_ca());
    HostileServer server([&](const Client& client) {
        const TlsClient tls(client, context.get());
        tls.receive_request();
        if (client.number() > 0) tls.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        client.wait_for_close();
    });
    Bed bed(server.port());
    bed.target.health.ca = ca_file;
    bed.target.health.timeout = 1s;
    EXPECT_EQ(bed.run().words, "connected, no answer within 1s");
    EXPECT_EQ(bed.run().words, "body not complete within 1s: 3 bytes so far");
}

TEST_F(HttpsProbe, takes_an_end_without_a_farewell) {
    const auto context = server_context(signed_by_ca());
    HostileServer server([&](const Client& client) {
        const TlsClient tls(client, context.get());
        tls.receive_request();
        tls.send("HTTP/1.1 200 OK\r\n\r\nto the end");
    });
    Bed bed(server.port());
    bed.target.health.ca = ca_file;
    bed.target.health.expect = "to the end";
    const Outcome outcome = bed.run();
    EXPECT_TRUE(outcome.ok()) << outcome.words;
}

TEST_F(HttpsProbe, keeps_a_connection_alive) {
    HostileServer server(answers(server_context(signed_by_ca({.until = 24h * 9 + 1h}))));
    Bed bed(server.port());
    bed.target.health.ca = ca_file;
    bed.target.health.keep_alive = true;
    for (int i = 0; i < 4; ++i) {
        const Outcome outcome = bed.run();
        EXPECT_TRUE(outcome.ok()) << outcome.words;
        EXPECT_EQ(outcome.warning, "certificate expires in 9 days");
    }
    EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpsProbe, connects_anew_when_what_it_kept_was_closed) {
    const auto context = server_context(signed_by_ca());
    HostileServer server([&](const Client& client) {
        const TlsClient tls(client, context.get());
        tls.receive_request();
        tls.send(good_answer);
        if (client.number() % 2 == 1) SSL_shutdown(tls.session());
        client.sleep(30ms);  // until the answer has been read
        if (client.number() % 3 == 1) client.reset_on_close();
    });
    Bed bed(server.port());
    bed.target.health.ca = ca_file;
    bed.target.health.keep_alive = true;
    for (int i = 0; i < 6; ++i) {
        const Outcome outcome = bed.run();
        EXPECT_TRUE(outcome.ok()) << outcome.words;
        std::this_thread::sleep_for(50ms);
    }
    EXPECT_EQ(server.connections(), 6);
}

TEST_F(HttpsProbe, reads_a_body_of_many_records_to_its_end) {
    const auto context = server_context(signed_by_ca());
    const std::string body = std::string(250'000, 'x') + "END";
    HostileServer server([&](const Client& client) {
        const TlsClient tls(client, context.get());
        tls.receive_request();
        tls.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
        tls.send(body);
        client.wait_for_close();
    });
    Bed bed(server.port());
    bed.target.health.ca = ca_file;
    bed.target.health.expect = "END";
    for (int i = 0; i < 5; ++i) {
        const Outcome outcome = bed.run();
        EXPECT_TRUE(outcome.ok()) << outcome.words;
    }
}

TEST_F(HttpsProbe, ends_at_once_when_it_is_cancelled) {
    HostileServer server(answers(server_context(signed_by_ca())));
    Bed bed(server.port());
    bed.target.health.ca = ca_file;
    bed.target.health.timeout = 60s;
    for (const auto after : {0us, 100us, 300us, 500us, 700us, 1000us, 1500us, 2000us, 5000us}) {
        bed.run_and_cancel(after);
        EXPECT_LT(bed.took, 10s);
    }
    EXPECT_TRUE(bed.run().ok());
}

// What OpenSSL would take costs most of a second of the thread that all probes share.
TEST_F(HttpsProbe, computes_in_no_huge_group) {
    const auto outcome_with = [this](const char* group) {
        const auto context = server_context(signed_by_ca({.rsa = true}));
        SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
        SSL_CTX_set_cipher_list(context.get(), "DHE-RSA-AES128-GCM-SHA256");
        SSL_CTX_set0_tmp_dh_pkey(context.get(), make_group(group));
        HostileServer server(answers(context));
        Bed bed(server.port());
        bed.target.health.ca = ca_file;
        return bed.run();
    };
    const Outcome usual = outcome_with("ffdhe3072");
    EXPECT_TRUE(usual.ok()) << usual.words;
    const Outcome huge = outcome_with("ffdhe8192");
    EXPECT_EQ(huge.failure, Failure::tls);
    EXPECT_EQ(huge.words,
              "TLS handshake failed: the server's Diffie-Hellman group has 8192 bits, more than "
              "4096");
}

}  // namespace
}  // namespace bascule::health
