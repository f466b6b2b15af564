// SPDX-License-Identifier: Apache-2.0
#include "control/framing.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace bascule::control {
namespace {

Request drain_request(const std::string& backend) {
    Request request;
    request.mutable_drain()->set_backend(backend);
    return request;
}

TEST(Framing, LengthIsBigEndian) {
    EXPECT_EQ(frame("abc"), std::string("\0\0\0\3abc", 7));
    EXPECT_EQ(frame(std::string(0x10203, 'x')).substr(0, 4), std::string("\0\1\2\3", 4));
    EXPECT_EQ(frame(""), std::string(4, '\0'));
}

TEST(Framing, OneFrameCutAtEveryByte) {
    std::string bytes = *encode(drain_request("web/web1"));
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        FrameReader reader(kMostRequestBytes);
        reader.push(bytes.substr(0, cut));
        auto body = reader.next();
        ASSERT_TRUE(body.has_value()) << cut;
        ASSERT_EQ(body->has_value(), cut == bytes.size()) << cut;
        if (body->has_value()) continue;
        EXPECT_EQ(reader.partial(), cut > 0);
        reader.push(bytes.substr(cut));
        body = reader.next();
        ASSERT_TRUE(body && *body) << cut;
        EXPECT_EQ(decode_request(**body)->drain().backend(), "web/web1");
        EXPECT_FALSE(reader.partial());
    }
}

TEST(Framing, SeveralFramesByteForByte) {
    std::string bytes = *encode(drain_request("a")) + frame("") + *encode(drain_request("b"));
    FrameReader reader(kMostRequestBytes);
    std::vector<std::string> bodies;
    for (char byte : bytes) {
        reader.push({&byte, 1});
        auto body = reader.next();
        ASSERT_TRUE(body.has_value());
        if (body->has_value()) bodies.push_back(**body);
    }
    ASSERT_EQ(bodies.size(), 3U);
    EXPECT_EQ(decode_request(bodies[0])->drain().backend(), "a");
    EXPECT_EQ(decode_request(bodies[1])->ask_case(), Request::ASK_NOT_SET);
    EXPECT_EQ(decode_request(bodies[2])->drain().backend(), "b");
}

TEST(Framing, LengthAboveTheLimitIsRefusedBeforeItsBody) {
    FrameReader reader(1000);
    reader.push(std::string("\0\0\3\xe8", 4));  // 1000: just allowed
    auto body = reader.next();
    ASSERT_TRUE(body.has_value());
    EXPECT_FALSE(body->has_value());

    FrameReader strict(999);
    strict.push(std::string("\0\0\3\xe8", 4));
    EXPECT_EQ(strict.next().error().text(), "a message of 1000 bytes; at most 999 are taken");
    strict.push(std::string(2000, 'x'));
    EXPECT_FALSE(strict.next().has_value()) << "an error has no end";

    FrameReader huge(kMostAnswerBytes);
    huge.push("\xff\xff\xff\xff");
    EXPECT_FALSE(huge.next().has_value());
}

TEST(Framing, GarbageIsAnErrorOrAMessageAndNeverACrash) {
    std::mt19937 random(20261);
    int refused = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string body(random() % 64, '\0');
        for (char& byte : body)
            byte = static_cast<char>(random());
        if (!decode_request(body)) ++refused;
        decode_response(body);
    }
    EXPECT_GT(refused, 10'000);
    EXPECT_EQ(decode_request("\xff\xff\xff").error().text(), "the bytes are no request");
    EXPECT_EQ(decode_response("\xff\xff\xff").error().text(), "the bytes are no answer");
}

TEST(Framing, AnAnswerThatIsTooLongBecomesAFailure) {
    Response response;
    for (int i = 0; i < 5; ++i) {
        response.mutable_drops()->add_drops()->set_meaning(std::string(1 << 20, 'x'));
    }
    FrameReader reader(kMostAnswerBytes);
    reader.push(encode(response));
    auto body = reader.next();
    ASSERT_TRUE(body && *body);
    EXPECT_EQ(decode_response(**body)->failure().code(), Failure::FAILURE_FAILED);
}

TEST(Framing, ARequestThatIsTooLongIsRefused) {
    EXPECT_FALSE(encode(drain_request(std::string(kMostRequestBytes, 'x'))).has_value());
}

TEST(Framing, TheMostSessionsWithLongNamesFitOneAnswer) {
    Response response;
    for (std::uint32_t i = 0; i < kMostSessions; ++i) {
        auto* session = response.mutable_sessions()->add_sessions();
        session->set_source("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        session->set_vip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        session->set_source_port(65535);
        session->set_port(65535);
        session->set_protocol(PROTOCOL_TCP);
        session->set_state(SESSION_ESTABLISHED);
        session->set_service(std::string(128, 's'));
        session->set_backend(std::string(128, 'b'));
        session->set_from_peer(true);
        session->set_idle_seconds(1U << 31);
    }
    EXPECT_LT(response.ByteSizeLong(), kMostAnswerBytes);
}

}  // namespace
}  // namespace bascule::control
