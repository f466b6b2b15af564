// SPDX-License-Identifier: Apache-2.0
// The probe `icmp`: an echo request. Thread: that of the io_context.
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "base/descriptor.h"
#include "health/icmp_sockets.h"
#include "health/makers.h"
#include "health/resources.h"
#include "health/sockaddr.h"
#include "health/words.h"

namespace bascule::health {

namespace {

namespace asio = boost::asio;

bool is_ours(const Address& source) {
    const SocketAddress address = socket_address(source, 0);
    const Descriptor socket(::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return ::bind(socket.get(), address.get(), address.length) == 0;
}

class IcmpProbe final : public Probe {
public:
    IcmpProbe(IcmpSockets& sockets, const Target& target) : sockets_(sockets), target_(target) {}

    asio::awaitable<Outcome> run(const Destination& to, Clock::time_point deadline) override {
        const auto end = co_await sockets_.echo(to.address, to.source, deadline);
        if (!end) co_return failed(Failure::local, plain(end.error().text(), 190));
        co_return judge(to, *end);
    }

private:
    Outcome judge(const Destination& to, const EchoEnd& end) const {
        const std::string server = server_name(target_, to);
        if (end.answered) return passed("answered");
        if (end.send_errno != 0) return not_sent(to, server, end.send_errno);
        if (!end.error)
            return failed(Failure::timed_out,
                          "no echo reply within " + in_words(target_.health.timeout));
        const std::string says = end.sender == to.address ? "" : ", says " + end.sender.to_string();
        return failed(Failure::unreachable,
                      server + " cannot be reached: " +
                          icmp_words(to.address.is_v4(), end.error->type, end.error->code) + says);
    }

    static Outcome not_sent(const Destination& to, const std::string& server, int code) {
        // The kernel has several errors for this one.
        if (!to.source.is_unspecified() && !is_ours(to.source))
            return failed(Failure::local,
                          "source " + to.source.to_string() + " is not an address of this host");
        const std::string message = plain(std::generic_category().message(code));
        switch (code) {
            case ENETUNREACH:
            case EHOSTUNREACH:
            case ENETDOWN:
            case EHOSTDOWN:
                return failed(Failure::unreachable, server + " cannot be reached: " + message);
            case EPERM:
                return failed(Failure::local,
                              "sending to " + server + " forbidden by this host's firewall");
            default:
                return failed(Failure::local, "sending to " + server + ": " + message);
        }
    }

    IcmpSockets& sockets_;
    Target target_;
};

}  // namespace

Result<std::unique_ptr<Probe>> make_icmp_probe(asio::io_context&, ProbeResources& resources,
                                               const Target& target) {
    return std::make_unique<IcmpProbe>(resources.get<IcmpSockets>(), target);
}

}  // namespace bascule::health
