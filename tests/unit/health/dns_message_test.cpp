// SPDX-License-Identifier: Apache-2.0
#include "health/dns_message.h"

#include <gtest/gtest.h>

#include "tests/unit/health/dns_packets.h"

namespace bascule::health::dns {
namespace {

using Records = std::vector<std::string>;

const std::string ipv4("\x0a\x09\x00\x15", 4);

Question question(const std::string& name = "www.example", std::uint16_t type = A) {
    return {0x1234, name, type};
}

std::string error_of(const std::string& message, const Question& asked = question()) {
    const auto answer = decode(message, asked);
    return answer ? "" : answer.error().text();
}

Records records_of(const DnsMessage& message, const Question& asked) {
    const auto answer = decode(message.bytes(), asked);
    return answer ? answer->records : Records{"error: " + answer.error().text()};
}

TEST(DnsEncode, IsWhatTheStandardSays) {
    EXPECT_EQ(encode(question()).value(),
              std::string("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
                          "\x03www\x07"
                          "example\x00\x00\x01\x00\x01",
                          29));
    EXPECT_EQ(encode(question("www.example.")).value(), encode(question()).value());
    EXPECT_EQ(encode(question(".", NS)).value().substr(12), std::string("\0\0\2\0\1", 5));
}

TEST(DnsEncode, RefusesWhatIsNoName) {
    const std::string longest(63, 'a');
    EXPECT_TRUE(
        encode(question(longest + "." + longest + "." + longest + "." + longest.substr(2))));
    for (const auto& name : {std::string(), std::string(".."), std::string("a..b"),
                             std::string(".a"), std::string("a.."), longest + "a.b",
                             longest + "." + longest + "." + longest + "." + longest.substr(1)})
        EXPECT_FALSE(encode(question(name))) << name;
}

TEST(DnsDecode, AddressesAndNames) {
    DnsMessage a;
    a.question("www.example", A);
    a.record(pointer(at_question), CNAME, labels("web.example"));
    a.record(labels("web.example"), A, ipv4);
    a.record(pointer(at_question), A, std::string("\x0a\x09\x00\x16", 4));
    EXPECT_EQ(records_of(a, question()), (Records{"10.9.0.21", "10.9.0.22"}));

    DnsMessage aaaa;
    aaaa.question("www.example", AAAA);
    aaaa.record(pointer(at_question), AAAA,
                std::string("\x20\x01\x0d\xb8", 4) + std::string(11, 0) + "\x05");
    EXPECT_EQ(records_of(aaaa, question("www.example", AAAA)), (Records{"2001:db8::5"}));

    for (const auto type : {CNAME, NS, PTR}) {
        DnsMessage names;
        names.question("www.example", type);
        names.record(pointer(at_question), type, "\x03Web" + pointer(at_question + 4));
        EXPECT_EQ(records_of(names, question("WWW.Example", type)), (Records{"web.example"}));
    }
    DnsMessage mx;
    mx.question("www.example", MX)
        .record(pointer(at_question), MX, be16(10) + labels("mx.example"));
    EXPECT_EQ(records_of(mx, question("www.example", MX)), (Records{"mx.example"}));
    DnsMessage srv;
    srv.question("www.example", SRV);
    srv.record(pointer(at_question), SRV, be16(1) + be16(2) + be16(80) + labels("srv.example"));
    EXPECT_EQ(records_of(srv, question("www.example", SRV)), (Records{"srv.example"}));
    DnsMessage soa;
    soa.question("www.example", SOA);
    soa.record(pointer(at_question), SOA,
               labels("ns.example") + labels("a.b") + std::string(20, 0));
    EXPECT_EQ(records_of(soa, question("www.example", SOA)), (Records{"ns.example"}));
    DnsMessage txt;
    txt.question("www.example", TXT);
    txt.record(pointer(at_question), TXT,
               std::string("\x02"
                           "Ok"
                           "\x00"
                           "\x01"
                           "!",
                           6));
    EXPECT_EQ(records_of(txt, question("www.example", TXT)), (Records{"Ok!"}));
}

TEST(DnsDecode, OtherClassesAndTypesAreLeftOut) {
    DnsMessage message;
    message.question("www.example", A);
    message.record(pointer(at_question), A, ipv4, 3);
    message.record(pointer(at_question), 46, "signature");
    EXPECT_EQ(records_of(message, question()), Records{});
}

TEST(DnsDecode, UnprintableNamesAreEscaped) {
    DnsMessage message;
    message.question("www.example", NS);
    message.record(pointer(at_question), NS,
                   std::string("\x05"
                               "a.b\\\n"
                               "\x00",
                               7));
    EXPECT_EQ(records_of(message, question("www.example", NS)), (Records{"a\\.b\\\\\\010"}));
}

TEST(DnsDecode, TellsRcodeAndTruncation) {
    DnsMessage message;
    message.flags = 0x8382;
    message.question("www.example", A);
    const auto answer = decode(message.bytes(), question());
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->rcode, 2);
    EXPECT_TRUE(answer->truncated);
    EXPECT_EQ(rcode_name(answer->rcode), "SERVFAIL");
    EXPECT_EQ(rcode_name(14), "rcode 14");
    EXPECT_EQ(rcode_number("REFUSED"), 5);
    EXPECT_EQ(rcode_number("refused"), std::nullopt);
    EXPECT_EQ(type_number("AAAA"), 28);
    EXPECT_EQ(type_number("ANY"), std::nullopt);
}

TEST(DnsDecode, WhoRefusesNeedNotRepeatTheQuestion) {
    DnsMessage message;
    message.questions = 0;
    message.flags = 0x8005;
    EXPECT_EQ(decode(message.bytes(), question()).value().rcode, 5);
    message.flags = 0x8000;
    EXPECT_EQ(error_of(message.bytes()), "an answer with 0 questions");
}

TEST(DnsDecode, AnotherQuestionIsNotOurs) {
    DnsMessage message;
    EXPECT_EQ(error_of(DnsMessage().question("www.exampla", A).bytes()),
              "an answer to another question");
    EXPECT_EQ(error_of(DnsMessage().question("www.example", AAAA).bytes()),
              "an answer to another question");
    EXPECT_EQ(error_of(DnsMessage().question("example", A).bytes()),
              "an answer to another question");
    message.question("www.example", A).questions = 2;
    EXPECT_EQ(error_of(message.bytes()), "an answer with 2 questions");
    message.questions = 1;
    message.flags = 0x0100;
    EXPECT_EQ(error_of(message.bytes()), "a question came back, not an answer");
    message.flags = 0xa800;
    EXPECT_EQ(error_of(message.bytes()), "an answer to no query");
    EXPECT_TRUE(has_id(message.bytes(), 0x1234));
    EXPECT_FALSE(has_id(message.bytes(), 0x1235));
    EXPECT_FALSE(has_id("\x12", 0x1234));
    EXPECT_FALSE(has_id("", 0));
}

TEST(DnsDecode, EveryCutIsNoticed) {
    DnsMessage message;
    message.question("www.example", A).record(pointer(at_question), A, ipv4);
    const std::string whole = message.bytes();
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_NE(error_of(whole.substr(0, size)), "") << size;
    EXPECT_EQ(error_of(whole), "");
}

TEST(DnsDecode, WhatATruncatedAnswerHasIsTaken) {
    DnsMessage message;
    message.question("www.example", A).record(pointer(at_question), A, ipv4);
    message.flags |= 0x0200;
    message.answers = 5;
    EXPECT_EQ(records_of(message, question()), (Records{"10.9.0.21"}));
    message.flags &= ~0x0200U;
    EXPECT_EQ(error_of(message.bytes()), "broken record 2 in the answer");
}

TEST(DnsDecode, PointersLeadBackwardsOnly) {
    const auto with_name = [](const std::string& name) {
        DnsMessage message;
        message.question("www.example", NS).record(pointer(at_question), NS, name);
        return error_of(message.bytes(), question("www.example", NS));
    };
    const unsigned here = 12 + 17 + 12;  // where the data of the record starts
    EXPECT_EQ(with_name("\x01"
                        "a" +
                        pointer(at_question)),
              "");
    EXPECT_NE(with_name(pointer(here)), "");  // to itself
    EXPECT_NE(with_name("\x01"
                        "a" +
                        pointer(here)),
              "");                                                // in a circle
    EXPECT_NE(with_name(pointer(here + 2) + pointer(here)), "");  // to and fro
    EXPECT_NE(with_name(pointer(0x3fff)), "");                    // out of the message
    EXPECT_NE(with_name("\x40"
                        "a"),
              "");  // neither label nor pointer
    EXPECT_NE(with_name("\x3f"
                        "a"),
              "");                     // beyond its record
    EXPECT_NE(with_name("\xc0"), "");  // half a pointer
}

TEST(DnsDecode, ANameHas255BytesAndSoManyJumps) {
    DnsMessage message;
    message.question("www.example", NS);
    std::string name;
    for (int i = 0; i < 127; ++i)
        name +=
            "\x01"
            "a";
    DnsMessage longest = message;
    longest.record(pointer(at_question), NS, name + '\0');
    EXPECT_EQ(error_of(longest.bytes(), question("www.example", NS)), "");
    DnsMessage longer = message;
    longer.record(pointer(at_question), NS,
                  "\x01"
                  "a" +
                      name + '\0');
    EXPECT_NE(error_of(longer.bytes(), question("www.example", NS)), "");
    // A long chain of pointers, each to the one before it, leads nowhere.
    DnsMessage chain = message;
    std::string data = labels("x");
    const unsigned start = 12 + 17 + 12;
    unsigned last = start;
    for (int i = 0; i < 200; ++i) {
        data += pointer(last);
        last = start + 3 + 2 * static_cast<unsigned>(i);
    }
    chain.record(pointer(at_question), 99, data);
    chain.record(pointer(at_question), NS, pointer(last));
    EXPECT_NE(error_of(chain.bytes(), question("www.example", NS)), "");
}

TEST(DnsDecode, BrokenDataIsNoticed) {
    for (const std::size_t size : {0, 3, 5}) {
        DnsMessage message;
        message.question("www.example", A).record(pointer(at_question), A, std::string(size, 'x'));
        EXPECT_EQ(error_of(message.bytes()), "broken record 1 in the answer") << size;
    }
    DnsMessage txt;
    txt.question("www.example", TXT)
        .record(pointer(at_question), TXT,
                "\x05"
                "four");
    EXPECT_NE(error_of(txt.bytes(), question("www.example", TXT)), "");
}

TEST(DnsDecode, SoManyRecordsAndNoMore) {
    DnsMessage message;
    message.question("www.example", A);
    for (std::size_t i = 0; i < Answer::most_records; ++i)
        message.record(pointer(at_question), A, ipv4);
    EXPECT_EQ(error_of(message.bytes()), "");
    message.record(pointer(at_question), A, ipv4);
    EXPECT_EQ(error_of(message.bytes()), "an answer of more than 1000 records");
}

TEST(DnsMatches, ByWhatTheRecordIs) {
    EXPECT_TRUE(matches("10.9.0.21", A, "10.9.0.21"));
    EXPECT_FALSE(matches("10.9.0.21", A, "10.9.0.2"));
    EXPECT_TRUE(matches("2001:db8::5", AAAA, "2001:0DB8:0::5"));
    EXPECT_FALSE(matches("2001:db8::5", AAAA, "text"));
    EXPECT_TRUE(matches("web.example", CNAME, "Web.Example."));
    EXPECT_FALSE(matches("web.example", CNAME, "example"));
    EXPECT_TRUE(matches("", NS, "."));
    EXPECT_TRUE(matches("Ok", TXT, "Ok"));
    EXPECT_FALSE(matches("Ok", TXT, "ok"));
}

}  // namespace
}  // namespace bascule::health::dns
