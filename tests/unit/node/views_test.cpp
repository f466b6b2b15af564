// SPDX-License-Identifier: Apache-2.0
#include "node/views.h"

#include <gtest/gtest.h>

#include "tests/unit/node/config_text.h"

namespace bascule::node {
namespace {

using namespace testing;

model::Config config() {
    return config_of(head_text() + service_text("web", 80) + backend_text("web1", "10.9.0.21") +
                     backend_text("web2", "10.9.0.22") + service_text("tls", 443) +
                     backend_text("web1", "10.9.0.21"));
}

TEST(FindBackend, ByItsNameAloneWhereThatIsOne) {
    const auto all = config();
    const auto search = find_backend(all, "web2");
    ASSERT_EQ(search.matches.size(), 1);
    EXPECT_EQ(search.matches[0].first->name, "web");
    EXPECT_EQ(search.matches[0].second->name, "web2");
    EXPECT_EQ(search.problem, "");
}

TEST(FindBackend, ByItsFullName) {
    const auto all = config();
    const auto search = find_backend(all, "tls/web1");
    ASSERT_EQ(search.matches.size(), 1);
    EXPECT_EQ(search.matches[0].first->name, "tls");
    EXPECT_EQ(search.problem, "");
}

TEST(FindBackend, OneOfSeveralMustBeNamed) {
    const auto all = config();
    const auto search = find_backend(all, "web1");
    EXPECT_EQ(search.matches.size(), 2);
    EXPECT_EQ(search.problem, "2 services have a backend 'web1': say which, as service/backend");
    EXPECT_EQ(search.candidates, (std::vector<std::string>{"web/web1", "tls/web1"}));
}

TEST(FindBackend, WhatIsNotThereIsAnsweredWithWhatIs) {
    const auto all = config();
    for (const char* none : {"web3", "tls/web2", "dns/web1", "", "/", "web/", "/web1"}) {
        const auto search = find_backend(all, none);
        EXPECT_TRUE(search.matches.empty()) << none;
        EXPECT_EQ(search.problem, std::string("there is no backend '") + none + "'");
        EXPECT_EQ(search.candidates,
                  (std::vector<std::string>{"web/web1", "web/web2", "tls/web1"}));
    }
}

TEST(FindBackend, CandidatesAreBounded) {
    auto many = config();
    auto& services = many.services;
    for (int i = 0; i < 100; ++i) {
        services.push_back(services[1]);
        services.back().name = "s" + std::to_string(i);
    }
    EXPECT_EQ(find_backend(many, "none").candidates.size(), 20);
    EXPECT_EQ(find_backend(many, "web1").candidates.size(), 20);
    EXPECT_EQ(find_backend(many, "web1").matches.size(), 102);
}

}  // namespace
}  // namespace bascule::node
