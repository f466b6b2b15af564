// SPDX-License-Identifier: Apache-2.0
#include "node/config_outside.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "tests/unit/control/temporary_directory.h"
#include "tests/unit/node/config_text.h"

namespace bascule::node {
namespace {

using namespace testing;

struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(BIO* bio) const { BIO_free(bio); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string key_text(EVP_PKEY* key, const char* pass_phrase = nullptr) {
    const std::unique_ptr<BIO, Free> bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PrivateKey(bio.get(), key, pass_phrase ? EVP_aes_128_cbc() : nullptr, nullptr, 0,
                             nullptr, const_cast<char*>(pass_phrase));
    return text_of(bio.get());
}

std::string certificate_text(EVP_PKEY* key) {
    const std::unique_ptr<X509, Free> certificate(X509_new());
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key);
    X509_sign(certificate.get(), key, EVP_sha256());
    const std::unique_ptr<BIO, Free> bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(bio.get(), certificate.get());
    return text_of(bio.get());
}

class ConfigOutside : public ::testing::Test {
protected:
    ConfigOutside() {
        write("own.pem", certificate_text(key_.get()), 0644);
        write("own.key", key_text(key_.get()), 0600);
    }

    void write(const std::string& name, const std::string& text, mode_t mode) {
        std::ofstream(folder_.file(name)) << text;
        ASSERT_EQ(::chmod(folder_.file(name).c_str(), mode), 0);
    }

    // `keys` begin on line 14, with the folder in the place of "@".
    std::string https(std::string keys) {
        for (std::size_t at; (at = keys.find('@')) != std::string::npos;)
            keys.replace(at, 1, folder_.file(""));
        return head_text() + service_text("web", 443) + "[service.health]\ntype = \"https\"\n" +
               keys + backend_text("b", "10.9.0.21");
    }

    // Without the folder's name.
    std::string errors(const std::string& text) {
        std::string all;
        for (const auto& error : check_outside(config_of(text)))
            all += error.to_string() + '\n';
        const std::string folder = folder_.file("");
        for (std::size_t at; (at = all.find(folder)) != std::string::npos;)
            all.replace(at, folder.size(), "@");
        return all;
    }

    TemporaryDirectory folder_;
    Key key_{EVP_EC_gen("P-256")};
};

TEST_F(ConfigOutside, NothingNamedIsNothingToCheck) {
    EXPECT_EQ(errors(head_text() + service_text("web", 80) + backend_text("b", "10.9.0.21")), "");
}

TEST_F(ConfigOutside, SoundFilesAreFine) {
    EXPECT_EQ(errors(https("ca = \"@own.pem\"\ncertificate = \"@own.pem\"\nkey = \"@own.key\"\n")),
              "");
}

TEST_F(ConfigOutside, FilesAreThereAndAreCertificates) {
    EXPECT_EQ(errors(https("ca = \"@none.pem\"\n")),
              "test.toml:14:6: ca: @none.pem: No such file or directory\n");
    EXPECT_EQ(errors(https("ca = \"@own.key\"\n")),
              "test.toml:14:6: ca: @own.key: no certificate is in it (PEM is expected)\n");
    write("empty.pem", "", 0644);
    EXPECT_EQ(errors(https("ca = \"@empty.pem\"\n")),
              "test.toml:14:6: ca: @empty.pem: no certificate is in it (PEM is expected)\n");
    const std::string sound = certificate_text(key_.get());
    std::string damaged = sound;
    damaged[100] = damaged[100] == 'A' ? 'B' : 'A';
    damaged.erase(120, 8);
    write("two.pem", sound + damaged, 0644);
    EXPECT_EQ(errors(https("ca = \"@two.pem\"\n")),
              "test.toml:14:6: ca: @two.pem: its certificate 2 is damaged\n");
    EXPECT_EQ(errors(https("ca = \"@\"\n")), "test.toml:14:6: ca: @: is not a regular file\n");
}

TEST_F(ConfigOutside, TheKeyFits) {
    const std::string head = "certificate = \"@own.pem\"\nkey = \"@";
    EXPECT_EQ(errors(https(head + "own.pem\"\n")),
              "test.toml:15:7: key: @own.pem: others may read or change it (mode 644): chmod 600\n"
              "test.toml:15:7: key: @own.pem: no private key is in it (PEM is expected)\n");
    write("other.key", key_text(Key(EVP_EC_gen("P-256")).get()), 0640);
    EXPECT_EQ(errors(https(head + "other.key\"\n")),
              "test.toml:15:7: key: @other.key: it is not the key of @own.pem\n");
    write("locked.key", key_text(key_.get(), "secret"), 0400);
    EXPECT_EQ(errors(https(head + "locked.key\"\n")),
              "test.toml:15:7: key: @locked.key: it is locked by a pass phrase, which nobody could "
              "type\n");
    write("open.key", key_text(key_.get()), 0604);
    EXPECT_EQ(errors(https(head + "open.key\"\n")),
              "test.toml:15:7: key: @open.key: others may read or change it (mode 604): chmod "
              "600\n");
    EXPECT_EQ(errors(https("certificate = \"@none.pem\"\nkey = \"@none.key\"\n")),
              "test.toml:14:15: certificate: @none.pem: No such file or directory\n"
              "test.toml:15:7: key: @none.key: No such file or directory\n");
}

TEST_F(ConfigOutside, ProgramsAreRootsAlone) {
    const auto exec = [](const std::string& keys) {
        return head_text() + service_text("web", 80) + "[service.health]\ntype = \"exec\"\n" +
               keys + backend_text("b", "10.9.0.21");
    };
    EXPECT_EQ(errors(exec("command = [\"/bin/sh\", \"-c\", \"true\"]\n")), "");
    EXPECT_EQ(errors(exec("command = [\"/bin/sh\"]\nuser = \"nosuch-user\"\n")),
              "test.toml:14:11: command: there is no user \"nosuch-user\"\n");
    write("check.sh", "#!/bin/sh\n", 0777);
    EXPECT_NE(errors(exec("command = [\"" + folder_.file("check.sh") + "\"]\n"))
                  .find("test.toml:14:11: command: "),
              std::string::npos)
        << "a temporary folder lets everybody in";
    EXPECT_NE(errors(head_text() + "[hook]\ncommand = [\"/no/such/program\"]\n")
                  .find("test.toml:7:11: command: "),
              std::string::npos);
}

TEST_F(ConfigOutside, TheClustersKeyIsSecretAndWhole) {
    const std::string path = folder_.file("cluster.key");
    const std::string text = head_text() + "[cluster]\nname = \"edge\"\nkey_file = \"" + path +
                             "\"\n[[cluster.node]]\nname = \"lb1\"\naddresses = "
                             "[\"10.9.0.11\"]\n[[cluster.node]]\nname = \"lb2\"\naddresses = "
                             "[\"10.9.0.12\"]\n";
    const std::string place = "test.toml:8:12: key_file: @cluster.key: ";
    EXPECT_EQ(errors(text),
              place +
                  "there is no such file: on the first node make it with `bascule keygen "
                  "@cluster.key`, on the others copy it from there\n");
    const std::string ring = "ring " + std::string(32, 'a') + "\n";
    const std::string key = "key " + std::string(64, '1') + "\n";
    write("cluster.key", ring + key, 0600);
    EXPECT_EQ(errors(text), "");
    write("cluster.key", ring + key, 0644);
    EXPECT_EQ(errors(text),
              place +
                  "others may read or change it (mode 644): chmod 600 @cluster.key, and when "
                  "they may have read it, rotate the key\n");
    write("cluster.key", ring + key.substr(0, 40), 0600);
    EXPECT_EQ(errors(text), place + "line 2: a key has 64 hex digits, here are 36\n");
}

TEST_F(ConfigOutside, ErrorsAreInOrder) {
    const auto found = check_outside(
        config_of("[hook]\ncommand = [\"/no/such\"]\n" +
                  https("key = \"@none.key\"\ncertificate = \"@none.pem\"\nca = \"@none.ca\"\n")));
    ASSERT_EQ(found.size(), 4u);
    for (std::size_t n = 1; n < found.size(); ++n)
        EXPECT_LT(found[n - 1].line, found[n].line);
}

}  // namespace
}  // namespace bascule::node
