// SPDX-License-Identifier: Apache-2.0
// The probe `udp`: one datagram, and what comes back.
//
// Many servers answer nothing (syslog): without an expectation, silence is good until the deadline,
// and only ICMP says that nobody listens. Thread: that of the io_context.
#include "health/datagram.h"
#include "health/expect.h"
#include "health/makers.h"
#include "health/words.h"

namespace bascule::health {

namespace {

namespace asio = boost::asio;

class UdpProbe final : public Probe {
public:
    UdpProbe(asio::io_context& io, const Target& target, Expect expect)
        : io_(io), target_(target), expect_(std::move(expect)) {}

    asio::awaitable<Outcome> run(const Destination& to, Clock::time_point deadline) override {
        DatagramSocket socket(io_, target_);
        if (auto fault = socket.open(to)) co_return std::move(*fault);
        if (auto fault = socket.send(target_.health.send)) co_return std::move(*fault);
        auto received = co_await socket.receive(deadline);
        if (received.fault) co_return std::move(*received.fault);
        co_return received.datagram ? judge(*received.datagram) : silence();
    }

private:
    Outcome judge(std::string_view answer) const {
        if (!expect_.any() || expect_.met_by(answer)) return passed("answered");
        return failed(Failure::content,
                      "answer " + quoted(answer) + " " + expect_.missing(answer.size()));
    }

    Outcome silence() const {
        if (!expect_.any()) return passed("sent, nothing refused it");
        return failed(Failure::timed_out, "no answer within " + in_words(target_.health.timeout));
    }

    asio::io_context& io_;
    Target target_;
    Expect expect_;
};

}  // namespace

Result<std::unique_ptr<Probe>> make_udp_probe(asio::io_context& io, ProbeResources& resources,
                                              const Target& target) {
    auto expect = Expect::make(resources, target.health);
    if (!expect) return failure(expect.error());
    return std::make_unique<UdpProbe>(io, target, std::move(*expect));
}

}  // namespace bascule::health
