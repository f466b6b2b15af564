// SPDX-License-Identifier: Apache-2.0
// The probes `http` and `https`: one request, its whole answer, over a connection that is new or
// kept.
//
// Thread: that of the io_context. What a server can make it keep is bounded by HttpAnswer.
#include <array>

#include "health/connect.h"
#include "health/expect.h"
#include "health/http_answer.h"
#include "health/http_request.h"
#include "health/makers.h"
#include "health/tls.h"
#include "health/wire.h"
#include "health/words.h"

namespace bascule::health {

namespace {

namespace asio = boost::asio;

constexpr std::size_t read_at_once = 16'384;
// Then others have their turn, however fast a server sends.
constexpr int reads_at_a_turn = 4;

class HttpProbe final : public Probe {
public:
    // `tls`: nullptr for http.
    HttpProbe(asio::io_context& io, const Target& target, Expect expect,
              std::shared_ptr<TlsContext> tls)
        : target_(target),
          expect_(std::move(expect)),
          tls_(std::move(tls)),
          connection_(io, target) {}

    asio::awaitable<Outcome> run(const Destination& to, Clock::time_point deadline) override {
        RunOf run(connection_, deadline);
        if (request_.empty() || to != to_) {
            connection_.close();
            request_ = http_request(target_, to);
            to_ = to;
        }
        // What has come since is no answer to what is asked now: "408 Request Timeout", say.
        const bool kept = connection_.is_quiet();
        auto exchange = std::make_unique<Exchange>(target_.health, expect_, request_);
        if (!kept) co_await connect(*exchange);
        co_await ask(*exchange);
        // What is kept may have been closed meanwhile, which no server can be blamed for.
        if (kept && exchange->lost_before_answer()) {
            exchange = std::make_unique<Exchange>(target_.health, expect_, request_);
            co_await connect(*exchange);
            co_await ask(*exchange);
        }
        if (exchange->outcome->ok()) exchange->outcome->warning = wire_->warning();
        if (target_.health.keep_alive && exchange->outcome->ok() && exchange->answer.reusable())
            run.keep_connection();
        else
            wire_.reset();
        co_return std::move(*exchange->outcome);
    }

private:
    // One request and its answer. It is over when there is an outcome.
    struct Exchange {
        Exchange(const model::HealthConfig& options, const Expect& expect, std::string_view request)
            : answer(options, expect), unsent(request) {}

        bool lost_before_answer() const {
            return outcome->failure == Failure::closed && answer.nothing_came();
        }

        HttpAnswer answer;
        std::string_view unsent;
        std::optional<Outcome> outcome;
    };

    asio::awaitable<void> connect(Exchange& exchange) {
        exchange.outcome = co_await connection_.connect(to_);
        if (exchange.outcome) co_return;
        if (tls_)
            wire_ = tls_->make_wire(connection_.fd(), target_.health);
        else
            wire_ = std::make_unique<PlainWire>(connection_.fd());
        for (;;) {
            const Step step = wire_->open();
            if (step.kind == Step::done) co_return;
            if (!step.wants()) {
                exchange.outcome = wire_->fault();
                co_return;
            }
            if (co_await connection_.wait(step.want()) != Waited::ready) {
                exchange.outcome =
                    failed(Failure::timed_out,
                           "connected, no TLS handshake within " + connection_.timeout());
                co_return;
            }
        }
    }

    asio::awaitable<void> ask(Exchange& exchange) {
        while (!exchange.outcome) {
            const Step step = proceed(exchange);
            if (exchange.outcome) break;
            const Waited waited = step.wants() ? co_await connection_.wait(step.want())
                                               : co_await connection_.pause();
            if (waited != Waited::ready)
                exchange.outcome = exchange.answer.late(connection_.timeout());
        }
    }

    // As far as it goes without waiting; done: there is more to read, after others.
    Step proceed(Exchange& exchange) {
        Step step = write_what_goes(exchange);
        // A server may refuse a request that it does not read, and close: what it says is read.
        if (step.kind != Step::want_write) step = read_what_is_there(exchange);
        return step;
    }

    Step write_what_goes(Exchange& exchange) {
        while (!exchange.unsent.empty()) {
            const Step step = wire_->write(exchange.unsent);
            if (step.kind != Step::done) return step;
            exchange.unsent.remove_prefix(step.count);
        }
        return {};
    }

    Step read_what_is_there(Exchange& exchange) {
        std::array<char, read_at_once> chunk;
        for (int i = 0; i < reads_at_a_turn; ++i) {
            const Step step = wire_->read(chunk);
            if (step.wants()) return step;
            if (step.kind == Step::fault) {
                exchange.outcome = wire_->fault();
                return step;
            }
            if (step.kind != Step::done)
                exchange.answer.end(step.kind == Step::broken);
            else
                exchange.answer.take({chunk.data(), step.count});
            if (exchange.answer.verdict()) {
                exchange.outcome = exchange.answer.verdict();
                return step;
            }
        }
        return {};
    }

    Target target_;
    Expect expect_;
    std::shared_ptr<TlsContext> tls_;
    Connection connection_;
    Destination to_;
    std::string request_;
    std::unique_ptr<Wire> wire_;
};

}  // namespace

Result<std::unique_ptr<Probe>> make_http_probe(asio::io_context& io, ProbeResources& resources,
                                               const Target& target) {
    auto expect = Expect::make(resources, target.health);
    if (!expect) return failure(expect.error());
    std::shared_ptr<TlsContext> tls;
    if (target.health.type == model::ProbeType::https) {
        auto context = resources.get<TlsContexts>().get(target.health);
        if (!context) return failure(context.error());
        tls = std::move(*context);
    }
    return std::make_unique<HttpProbe>(io, target, std::move(*expect), std::move(tls));
}

}  // namespace bascule::health
