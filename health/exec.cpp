// SPDX-License-Identifier: Apache-2.0
// The probe `exec`: a program whose exit code is the verdict, and which may say how much of its
// weight the backend should have. Thread: that of the io_context.
#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include "health/makers.h"
#include "health/program.h"
#include "health/words.h"

namespace bascule::health {

namespace {

namespace asio = boost::asio;

std::string number(std::uint64_t value) {
    return std::to_string(value);
}

std::vector<std::string> environment_of(const Target& target, const Destination& to) {
    return {
        "BASCULE_SERVICE=" + target.name.first,
        "BASCULE_BACKEND=" + target.name.second,
        "BASCULE_ADDRESS=" + to.address.to_string(),
        "BASCULE_PORT=" + number(to.port != 0 ? to.port : target.backend_port),
        "BASCULE_VIP=" + target.vip.to_string(),
        "BASCULE_VIP_PORT=" + number(target.vip_port),
        std::string("BASCULE_PROTOCOL=") + name_of(target.protocol),
        "BASCULE_TIMEOUT_MS=" + number(static_cast<std::uint64_t>(target.health.timeout.count()))};
}

// The next line of `text`, without its end and without blanks around it.
std::string_view take_line(std::string_view& text) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    constexpr const char* blanks = " \t\r";
    const auto first = line.find_first_not_of(blanks);
    if (first == line.npos) return {};
    return line.substr(first, line.find_last_not_of(blanks) - first + 1);
}

constexpr std::string_view weight_word = "weight ";

// What a program has said: its first line, for people, and a line "weight N", wherever it stands
// in what is kept. A line that was cut off says no weight: of "weight 100" it may be "weight 1".
struct Said {
    std::string_view first_line;
    std::optional<std::uint32_t> weight_percent;
    std::string_view bad_weight;  // a line that is no weight from 0 to 100
};

Said read_output(std::string_view output) {
    Said said;
    const bool cut = output.size() >= ProgramEnd::most_output && output.back() != '\n';
    while (!output.empty()) {
        const std::string_view line = take_line(output);
        if (cut && output.empty() && line.starts_with(weight_word)) break;
        if (!line.starts_with(weight_word)) {
            if (said.first_line.empty()) said.first_line = line;
            continue;
        }
        const std::string_view digits = line.substr(weight_word.size());
        std::uint32_t weight = 0;
        const auto [rest, code] =
            std::from_chars(digits.data(), digits.data() + digits.size(), weight);
        const bool whole = rest == digits.data() + digits.size();
        if (code == std::errc() && whole && weight <= 100) {
            said.weight_percent = weight;
        } else {
            said.bad_weight = line;
        }
    }
    return said;
}

class ExecProbe final : public Probe {
public:
    ExecProbe(asio::io_context& io, const Target& target) : io_(io), target_(target) {}

    asio::awaitable<Outcome> run(const Destination& to, Clock::time_point deadline) override {
        // A variable of its own: a temporary in an awaited expression is what g++ 12 gets wrong.
        const auto environment = environment_of(target_, to);
        const auto end = co_await run_program(io_, target_.health.program, environment, deadline);
        co_return end ? judge(*end) : failed(Failure::local, plain(end.error().text(), 190));
    }

private:
    Outcome judge(const ProgramEnd& end) const {
        const Said said = read_output(end.output);
        const std::string says =
            said.first_line.empty() ? "" : ", says " + quoted(said.first_line, 100);
        if (end.timed_out)
            return failed(Failure::timed_out, "the program did not end within " +
                                                  in_words(target_.health.timeout) +
                                                  " and was killed" + says);
        if (!end.exit_code)
            return failed(Failure::status,
                          "the program was ended by signal " + std::to_string(end.signal) + says);
        if (*end.exit_code != 0)
            return failed(Failure::status, "exit code " + std::to_string(*end.exit_code) + says);
        if (!said.bad_weight.empty())
            return failed(Failure::protocol, "the program says " + quoted(said.bad_weight) +
                                                 ": a weight is a number from 0 to 100");
        Outcome good = passed("exit code 0" + says);
        good.weight_percent = said.weight_percent;
        return good;
    }

    asio::io_context& io_;
    Target target_;
};

}  // namespace

Result<std::unique_ptr<Probe>> make_exec_probe(asio::io_context& io, ProbeResources&,
                                               const Target& target) {
    // That it is safe to run is checked before each run.
    return std::make_unique<ExecProbe>(io, target);
}

}  // namespace bascule::health
