// SPDX-License-Identifier: Apache-2.0
// The probe `dns`: one question by UDP, or by TCP when the service is that; an answer that was cut
// off is asked for again by TCP when what is expected is not in it.
//
// Thread: that of the io_context. A datagram with another id is no answer of ours (a late one, or a
// forged one): it is ignored, at most so many of them. Of TCP at most one message is read.
#include <sys/random.h>

#include <algorithm>
#include <array>

#include "health/connect.h"
#include "health/datagram.h"
#include "health/dns_message.h"
#include "health/makers.h"
#include "health/wire.h"
#include "health/words.h"

namespace bascule::health {

namespace {

namespace asio = boost::asio;

constexpr int most_strangers = 64;  // datagrams with other ids in one run

std::uint16_t random_id() {
    std::uint16_t id = 0;
    // Cannot fail for so few bytes once the kernel's pool is ready; then ids would be all zero, and
    // the bound port is what is left to guess.
    [[maybe_unused]] const ssize_t got = ::getrandom(&id, sizeof id, 0);
    return id;
}

// What has come: a message with our id, or why there is none.
struct Message {
    std::optional<std::string> bytes;
    Outcome fault;
};

class DnsProbe final : public Probe {
public:
    DnsProbe(asio::io_context& io, const Target& target)
        : io_(io),
          target_(target),
          connection_(io, target),
          rcode_(dns::rcode_number(target.health.dns_rcode).value_or(0)) {
        question_.name = target.health.dns_name;
        question_.type = dns::type_number(target.health.dns_type).value_or(dns::A);
    }

    asio::awaitable<Outcome> run(const Destination& to, Clock::time_point deadline) override {
        question_.id = random_id();
        const auto query = dns::encode(question_);
        if (!query)
            co_return failed(Failure::local,
                             "name " + quoted(question_.name) + " " + query.error().text());
        if (target_.protocol == model::Protocol::tcp) {
            const Message message = co_await by_tcp(to, *query, deadline);
            co_return message.bytes ? judge(*message.bytes) : message.fault;
        }
        const Message message = co_await by_udp(to, *query, deadline);
        if (!message.bytes) co_return message.fault;
        if (!is_cut_short(*message.bytes)) co_return judge(*message.bytes);
        const Message whole = co_await by_tcp(to, *query, deadline);
        Outcome outcome = whole.bytes ? judge(*whole.bytes) : whole.fault;
        if (!outcome.ok()) outcome.words = "truncated answer, and by TCP: " + outcome.words;
        co_return outcome;
    }

private:
    std::string within() const { return " within " + in_words(target_.health.timeout); }

    asio::awaitable<Message> by_udp(const Destination& to, const std::string& query,
                                    Clock::time_point deadline) {
        DatagramSocket socket(io_, target_);
        if (auto fault = socket.open(to)) co_return Message{std::nullopt, std::move(*fault)};
        if (auto fault = socket.send(query)) co_return Message{std::nullopt, std::move(*fault)};
        for (int strangers = 0; strangers <= most_strangers; ++strangers) {
            auto received = co_await socket.receive(deadline);
            if (received.fault) co_return Message{std::nullopt, std::move(*received.fault)};
            if (!received.datagram) co_return Message{std::nullopt, silence(strangers)};
            if (dns::has_id(*received.datagram, question_.id))
                co_return Message{std::move(received.datagram), {}};
        }
        co_return Message{std::nullopt, failed(Failure::protocol,
                                               "answers with another id only, " +
                                                   std::to_string(most_strangers) + " and more")};
    }

    Outcome silence(int strangers) const {
        if (strangers == 0) return failed(Failure::timed_out, "no answer" + within());
        return failed(Failure::timed_out, "no answer" + within() + ", but " +
                                              std::to_string(strangers) + " with another id");
    }

    // RFC 1035, section 4.2.2: a message follows its length.
    asio::awaitable<Message> by_tcp(const Destination& to, const std::string& query,
                                    Clock::time_point deadline) {
        RunOf run(connection_, deadline);
        if (auto fault = co_await connection_.connect(to))
            co_return Message{std::nullopt, std::move(*fault)};
        std::string request{static_cast<char>(query.size() >> 8),
                            static_cast<char>(query.size() & 0xff)};
        request += query;
        if (auto fault = co_await send(request)) co_return Message{std::nullopt, std::move(*fault)};
        Message length = co_await receive(2);
        if (!length.bytes) co_return length;
        const std::size_t size = std::size_t{static_cast<std::uint8_t>((*length.bytes)[0])} << 8 |
                                 static_cast<std::uint8_t>((*length.bytes)[1]);
        Message message = co_await receive(size);
        if (message.bytes && !dns::has_id(*message.bytes, question_.id))
            co_return Message{std::nullopt, failed(Failure::protocol, "an answer with another id")};
        co_return message;
    }

    asio::awaitable<std::optional<Outcome>> send(std::string_view rest) {
        PlainWire wire(connection_.fd());
        while (!rest.empty()) {
            const Step step = wire.write(rest);
            rest.remove_prefix(step.count);
            if (step.kind == Step::broken)
                co_return failed(Failure::closed, "connected, then closed before the question");
            if (step.wants() && co_await connection_.wait(step.want()) != Waited::ready)
                co_return failed(Failure::timed_out, "connected, question not taken" + within());
        }
        co_return std::nullopt;
    }

    // Exactly so many bytes.
    asio::awaitable<Message> receive(std::size_t size) {
        PlainWire wire(connection_.fd());
        std::array<char, 4096> chunk;
        std::string bytes;
        while (bytes.size() < size) {
            const Step step =
                wire.read({chunk.data(), std::min(chunk.size(), size - bytes.size())});
            bytes.append(chunk.data(), step.kind == Step::done ? step.count : 0);
            if (step.kind == Step::done) continue;
            if (!step.wants())
                co_return Message{std::nullopt,
                                  failed(Failure::closed, "connected, closed before its answer")};
            if (co_await connection_.wait(step.want()) != Waited::ready)
                co_return Message{std::nullopt,
                                  failed(Failure::timed_out, "connected, no answer" + within())};
        }
        co_return Message{std::move(bytes), {}};
    }

    // Whether TCP may tell what this answer does not.
    bool is_cut_short(std::string_view message) const {
        const auto answer = dns::decode(message, question_);
        return answer && answer->truncated && answer->rcode == rcode_ && !has_expected(*answer);
    }

    bool has_expected(const dns::Answer& answer) const {
        const std::string& expected = target_.health.dns_answer;
        return expected.empty() ||
               std::any_of(answer.records.begin(), answer.records.end(),
                           [&](const std::string& record) {
                               return dns::matches(record, question_.type, expected);
                           });
    }

    Outcome judge(std::string_view message) const {
        const auto answer = dns::decode(message, question_);
        if (!answer) return failed(Failure::protocol, "DNS: " + answer.error().text());
        const std::string rcode = dns::rcode_name(answer->rcode);
        if (answer->rcode != rcode_)
            return failed(Failure::status,
                          rcode_ == 0 ? "DNS " + rcode
                                      : "DNS " + rcode + " instead of " + target_.health.dns_rcode);
        if (has_expected(*answer)) return passed("DNS " + rcode + records(*answer));
        return failed(Failure::content,
                      "DNS answer lacks " + quoted(target_.health.dns_answer) + records(*answer));
    }

    // ", 10.0.0.1 and 2 more": what the server says, cut.
    std::string records(const dns::Answer& answer) const {
        if (answer.records.empty()) return ", no " + target_.health.dns_type + " records";
        const std::size_t more = answer.records.size() - 1;
        return ", " + plain(answer.records.front()) +
               (more > 0 ? " and " + std::to_string(more) + " more" : "");
    }

    asio::io_context& io_;
    Target target_;
    Connection connection_;
    std::uint8_t rcode_;
    dns::Question question_;
};

}  // namespace

Result<std::unique_ptr<Probe>> make_dns_probe(asio::io_context& io, ProbeResources&,
                                              const Target& target) {
    const auto& health = target.health;
    if (!dns::type_number(health.dns_type))
        return failure("DNS record type " + quoted(health.dns_type) + " is not known");
    if (!dns::rcode_number(health.dns_rcode))
        return failure("DNS rcode " + quoted(health.dns_rcode) + " is not known");
    return std::make_unique<DnsProbe>(io, target);
}

}  // namespace bascule::health
