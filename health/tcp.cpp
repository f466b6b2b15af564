// SPDX-License-Identifier: Apache-2.0
// The probe `tcp`: a connection, and if wanted bytes that are sent and bytes that have to come.
//
// Thread: that of the io_context. Of an answer at most most_answer bytes are kept, for one run.
#include <algorithm>
#include <array>

#include "health/connect.h"
#include "health/expect.h"
#include "health/makers.h"
#include "health/wire.h"
#include "health/words.h"

namespace bascule::health {

namespace {

namespace asio = boost::asio;

constexpr std::size_t most_answer = 65'536;
constexpr std::size_t read_at_once = 16'384;

class TcpProbe final : public Probe {
public:
    TcpProbe(asio::io_context& io, const Target& target, Expect expect)
        : send_(target.health.send), expect_(std::move(expect)), connection_(io, target) {}

    asio::awaitable<Outcome> run(const Destination& to, Clock::time_point deadline) override {
        RunOf run(connection_, deadline);
        if (auto failure = co_await connection_.connect(to)) co_return std::move(*failure);
        if (!send_.empty())
            if (auto failure = co_await send()) co_return std::move(*failure);
        if (!expect_.any()) co_return passed("connected");
        co_return co_await receive();
    }

private:
    asio::awaitable<std::optional<Outcome>> send() {
        PlainWire wire(connection_.fd());
        for (std::string_view rest = send_; !rest.empty();) {
            const Step step = wire.write(rest);
            rest.remove_prefix(step.count);
            if (step.kind == Step::broken)
                co_return failed(Failure::closed, "connected, then closed before all was sent");
            if (step.wants() && co_await connection_.wait(step.want()) != Waited::ready)
                co_return failed(Failure::timed_out,
                                 "connected, not all taken within " + connection_.timeout());
        }
        co_return std::nullopt;
    }

    asio::awaitable<Outcome> receive() {
        std::string answer;
        Search search(expect_);
        for (;;) {
            const Step step = read_what_is_there(answer);
            if (search.met_by(answer)) co_return passed("answered");
            if (answer.size() >= most_answer)
                co_return verdict(
                    answer,
                    failed(Failure::too_big, "answer of more than " + std::to_string(most_answer) +
                                                 " bytes " + expect_.missing(answer.size())));
            if (!step.wants()) co_return verdict(answer, closed(answer));
            if (co_await connection_.wait(Want::read) != Waited::ready)
                co_return verdict(answer, late(answer));
        }
    }

    // Until nothing is left, or enough is read.
    Step read_what_is_there(std::string& answer) const {
        PlainWire wire(connection_.fd());
        std::array<char, read_at_once> chunk;
        while (answer.size() < most_answer) {
            const Step step =
                wire.read({chunk.data(), std::min(chunk.size(), most_answer - answer.size())});
            if (step.kind != Step::done) return step;
            answer.append(chunk.data(), step.count);
        }
        return {};
    }

    // A last look: not every growth of the answer was searched.
    Outcome verdict(std::string_view answer, Outcome otherwise) const {
        return expect_.met_by(answer) ? passed("answered") : std::move(otherwise);
    }

    Outcome closed(std::string_view answer) const {
        if (answer.empty()) return failed(Failure::closed, "connected, closed without an answer");
        return failed(Failure::content,
                      "answer " + quoted(answer) + " " + expect_.missing(answer.size()));
    }

    Outcome late(std::string_view answer) const {
        const std::string within = " within " + connection_.timeout();
        if (answer.empty()) return failed(Failure::timed_out, "connected, no answer" + within);
        return failed(Failure::timed_out,
                      "answer " + quoted(answer) + " " + expect_.missing(answer.size()) + within);
    }

    std::string send_;
    Expect expect_;
    Connection connection_;
};

}  // namespace

Result<std::unique_ptr<Probe>> make_tcp_probe(asio::io_context& io, ProbeResources& resources,
                                              const Target& target) {
    auto expect = Expect::make(resources, target.health);
    if (!expect) return failure(expect.error());
    return std::make_unique<TcpProbe>(io, target, std::move(*expect));
}

}  // namespace bascule::health
