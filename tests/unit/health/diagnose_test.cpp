// SPDX-License-Identifier: Apache-2.0
// What a second look at a silent backend says: each thing that can be found, by fake probes, and
// the common ones with real sockets on loopback.
#include "health/diagnose.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <vector>

#include "fake_probe.h"

namespace bascule::health::testing {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using model::ProbeType;

Target by_vip() {
    Target target;
    target.name = {"web", "web1"};
    target.backend = *Address::parse("10.9.0.21");
    target.backend_port = 8080;
    target.vip = *Address::parse("10.9.0.100");
    target.vip_port = 80;
    target.health.type = ProbeType::tcp;
    target.health.via = model::Via::vip;
    target.health.timeout = 500ms;
    return target;
}

bool may_send_icmp() {
    const int fd = ::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (fd >= 0) ::close(fd);
    return fd >= 0;
}

const Outcome silent = bad(Failure::timed_out, "no connection within 500ms").outcome;

class Diagnose : public ::testing::Test {
protected:
    Outcome look(const Target& target, const MakeProbe& make) {
        Outcome found;
        const auto resources = make_resources(io_);
        asio::co_spawn(io_, diagnose(io_, *resources, make, target, silent),
                       [&](const std::exception_ptr& error, Outcome outcome) {
                           EXPECT_EQ(error, nullptr);
                           found = std::move(outcome);
                       });
        io_.restart();
        io_.run();
        EXPECT_EQ(found.failure, Failure::timed_out) << "it timed out, whatever else is found";
        return found;
    }
    // With a port and a host that are found so.
    std::string words(Script port, Script host, const Target& target = by_vip()) {
        fake_.say = [&](const Target& asked, const Destination& to) {
            asked_.push_back(asked);
            to_.push_back(to);
            return asked.health.type == ProbeType::icmp ? host : port;
        };
        return look(target, maker(fake_)).words;
    }

    asio::io_context io_;
    Fake fake_;
    std::vector<Target> asked_;
    std::vector<Destination> to_;
};

const Script timed_out = bad(Failure::timed_out, "no connection within 500ms");
const Script refused = bad(Failure::refused, "connection refused");

TEST_F(Diagnose, ItsPortAnswers) {
    EXPECT_EQ(words(good(), timed_out),
              "no answer for the VIP, but 10.9.0.21:8080 answers: is the VIP on its loopback, or "
              "does a firewall drop it?");
    ASSERT_EQ(asked_.size(), 1U) << "the host need not be asked";
    EXPECT_EQ(asked_[0].health.via, model::Via::address);
    EXPECT_EQ(to_[0], (Destination{*Address::parse("10.9.0.21"), 8080, {}}));
}

TEST_F(Diagnose, AnAnswerThatIsNotLikedIsAnAnswer) {
    for (const Failure failure :
         {Failure::closed, Failure::tls, Failure::certificate, Failure::status, Failure::content,
          Failure::protocol, Failure::too_big})
        EXPECT_TRUE(words(bad(failure, "…"), timed_out).starts_with("no answer for the VIP, but"))
            << name_of(failure);
}

TEST_F(Diagnose, ItsPortRefuses) {
    EXPECT_EQ(words(refused, timed_out),
              "no answer for the VIP, and 10.9.0.21:8080 refuses: its host is there; is the VIP on "
              "its loopback, or does a server on the VIP alone hang?");
}

TEST_F(Diagnose, OnlyItsHostAnswers) {
    EXPECT_EQ(words(timed_out, good()),
              "no answer, neither for the VIP nor on 10.9.0.21:8080, though its host answers ping: "
              "a firewall drops it");
    ASSERT_EQ(asked_.size(), 2U);
    EXPECT_EQ(to_[1], (Destination{*Address::parse("10.9.0.21"), 0, {}}));
}

TEST_F(Diagnose, NothingAnswers) {
    EXPECT_EQ(words(timed_out, timed_out), "nothing answers, its host 10.9.0.21 neither");
    EXPECT_EQ(words(timed_out, bad(Failure::unreachable, "no route")),
              "nothing answers, its host 10.9.0.21 neither");
}

TEST_F(Diagnose, SomethingElseIsFound) {
    EXPECT_EQ(words(bad(Failure::unreachable, "10.9.0.21 cannot be reached: No route to host"),
                    timed_out),
              "no answer for the VIP; on its own address: 10.9.0.21 cannot be reached: No route to "
              "host");
}

TEST_F(Diagnose, ItsOwnFaultsSayNothingOfTheBackend) {
    EXPECT_EQ(words(bad(Failure::local, "no socket"), timed_out), silent.words);
    EXPECT_EQ(words(timed_out, bad(Failure::local, "no raw socket")), silent.words);
    const MakeProbe none = [](asio::io_context&, ProbeResources&,
                              const Target&) -> Result<std::unique_ptr<Probe>> {
        return failure("no CA");
    };
    EXPECT_EQ(look(by_vip(), none).words, silent.words);
}

TEST_F(Diagnose, AsksByAConnectionWhereThereIsOne) {
    const auto asked_type = [&](ProbeType type, model::Protocol protocol) {
        Target target = by_vip();
        target.health.type = type;
        target.protocol = protocol;
        target.health.expect = "ok";
        words(good(), good(), target);
        return asked_.back().health.type;
    };
    EXPECT_EQ(asked_type(ProbeType::http, model::Protocol::tcp), ProbeType::tcp);
    EXPECT_TRUE(asked_.back().health.expect.empty()) << "a connection is enough";
    EXPECT_EQ(asked_type(ProbeType::https, model::Protocol::tcp), ProbeType::tcp);
    EXPECT_EQ(asked_type(ProbeType::dns, model::Protocol::tcp), ProbeType::tcp);
    EXPECT_EQ(asked_type(ProbeType::dns, model::Protocol::udp), ProbeType::dns);
    EXPECT_EQ(asked_type(ProbeType::udp, model::Protocol::udp), ProbeType::udp);
    EXPECT_EQ(asked_.back().health.expect, "ok") << "without it no server answers";
}

TEST_F(Diagnose, FindsThePortThatTheBackendListensOn) {
    const auto port = [&](std::uint16_t own, std::uint16_t checked) {
        Target target = by_vip();
        target.backend_port = own;
        target.health.port = checked;
        words(good(), good(), target);
        return to_.back().port;
    };
    EXPECT_EQ(port(8080, 0), 8080);
    EXPECT_EQ(port(8080, 80), 8080) << "of a service that maps its port";
    EXPECT_EQ(port(0, 5061), 5061) << "of a range";
    EXPECT_EQ(port(0, 0), 80);
}

TEST_F(Diagnose, ComesFromItsSourceWhereThatCanBe) {
    Target target = by_vip();
    target.health.source = *Address::parse("10.9.0.1");
    words(good(), good(), target);
    EXPECT_EQ(to_.back().source, target.health.source);
    target.health.source = *Address::parse("2001:db8::1");
    words(good(), good(), target);
    EXPECT_TRUE(to_.back().source.is_unspecified());
    target.backend = *Address::parse("2001:db8::21");
    EXPECT_NE(words(good(), good(), target).find("[2001:db8::21]:8080"), std::string::npos);
}

TEST_F(Diagnose, RealSocketsThatAnswerAndRefuse) {
    asio::ip::tcp::acceptor listener(io_, {asio::ip::make_address("127.0.0.1"), 0});
    Target target = by_vip();
    target.backend = *Address::parse("127.0.0.1");
    target.backend_port = listener.local_endpoint().port();
    const std::string place = "127.0.0.1:" + std::to_string(target.backend_port);
    EXPECT_EQ(look(target, make_probe).words, "no answer for the VIP, but " + place +
                                                  " answers: is the VIP on its loopback, or does "
                                                  "a firewall drop it?");
    listener.close();
    EXPECT_EQ(look(target, make_probe).words,
              "no answer for the VIP, and " + place +
                  " refuses: its host is there; is the VIP on its loopback, or does a server on "
                  "the VIP alone hang?");
}

TEST_F(Diagnose, ARealPortThatDropsOnAHostThatAnswers) {
    // A full backlog is as silent as a firewall.
    asio::ip::tcp::acceptor listener(io_);
    listener.open(asio::ip::tcp::v4());
    listener.bind({asio::ip::make_address("127.0.0.1"), 0});
    listener.listen(0);
    asio::io_context fillers_io;
    std::vector<asio::ip::tcp::socket> fillers;
    for (int i = 0; i < 4; ++i) {
        fillers.emplace_back(fillers_io).async_connect(listener.local_endpoint(), [](auto) {});
        fillers_io.poll();
        fillers_io.restart();
    }
    Target target = by_vip();
    target.backend = *Address::parse("127.0.0.1");
    target.backend_port = listener.local_endpoint().port();
    if (::geteuid() != 0 && !may_send_icmp()) GTEST_SKIP() << "no socket for ICMP here";
    const std::string found = look(target, make_probe).words;
    EXPECT_NE(found.find("though its host answers ping"), std::string::npos) << found;
}

}  // namespace
}  // namespace bascule::health::testing
