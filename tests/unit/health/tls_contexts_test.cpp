// SPDX-License-Identifier: Apache-2.0
// Which files a context was read from, and when it is read anew.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "certificates.h"
#include "health/tls.h"

namespace bascule::health {
namespace {

TEST(TlsContexts, ReadsRenewedFilesThoughOthersUseTheOldOnes) {
    const PemFiles files;
    Certificate ca = make_certificate({.name = "Test CA", .ca = true});
    const std::string ca_file = files.certificate("ca.pem", ca);
    boost::asio::io_context io;
    TlsContexts contexts(io);
    model::HealthConfig options;
    options.type = model::ProbeType::https;
    options.ca = ca_file;
    const auto before = contexts.get(options);
    ASSERT_TRUE(before);
    EXPECT_EQ(*contexts.get(options), *before);
    ca = make_certificate({.name = "New CA", .ca = true});
    files.certificate("new.pem", ca);
    std::filesystem::rename(files.path("new.pem"), ca_file);
    const auto after = contexts.get(options);
    ASSERT_TRUE(after);
    EXPECT_NE(*after, *before);
    EXPECT_EQ(*contexts.get(options), *after);
    files.text("ca.pem", "half a cert");
    const auto broken = contexts.get(options);
    ASSERT_FALSE(broken);
    EXPECT_NE(broken.error().text().find("ca \""), std::string::npos);
}

}  // namespace
}  // namespace bascule::health
