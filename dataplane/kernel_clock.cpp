// SPDX-License-Identifier: Apache-2.0
#include "dataplane/kernel_clock.h"

#include <bpf/bpf.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <ctime>
#include <memory>
#include <thread>

#include "bpf/clock.h"
#include "clock.skel.h"
#include "dataplane/libbpf_log.h"

namespace bascule::dataplane {

namespace {

constexpr std::uint64_t second = 1'000'000'000;

struct Sample {
    std::uint64_t jiffies;
    std::uint64_t nanoseconds;
};

std::uint64_t monotonic() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * second +
           static_cast<std::uint64_t>(now.tv_nsec);
}

Result<std::uint64_t> read_jiffies(int program) {
    bsc_clock clock{};
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.ctx_in = &clock;
    options.ctx_size_in = sizeof(clock);
    if (bpf_prog_test_run_opts(program, &options) != 0)
        return failure(bpf_error("read the kernel's ticks", errno));
    return clock.jiffies;
}

// Of a few tries the one that the scheduler disturbed least.
Result<Sample> take_sample(int program) {
    Sample best{};
    std::uint64_t best_span = 0;
    for (int i = 0; i < 8; i++) {
        const std::uint64_t before = monotonic();
        auto jiffies = read_jiffies(program);
        const std::uint64_t after = monotonic();
        if (!jiffies) return failure(std::move(jiffies.error()));
        if (i == 0 || after - before < best_span) {
            best = {*jiffies, before + (after - before) / 2};
            best_span = after - before;
        }
    }
    return best;
}

}  // namespace

std::uint32_t nearest_hz(std::uint64_t ticks, std::uint64_t nanoseconds) {
    if (nanoseconds == 0) return 0;
    const double measured =
        static_cast<double>(ticks) * static_cast<double>(second) / static_cast<double>(nanoseconds);
    // Both ends of the span fall between two ticks.
    const double doubt = static_cast<double>(second) / static_cast<double>(nanoseconds);
    std::uint32_t nearest = 0;
    double distance = doubt * 1.5 + measured * 0.01;
    for (const std::uint32_t hz : {100U, 250U, 300U, 1000U}) {
        if (std::abs(measured - hz) >= distance) continue;
        nearest = hz;
        distance = std::abs(measured - hz);
    }
    return nearest;
}

std::uint32_t KernelClock::multiplier() const {
    return ((1U << 24) + hz_ / 2) / hz_;
}

std::uint32_t KernelClock::seconds() const {
    const std::uint64_t elapsed = monotonic() - nanoseconds_;
    // Apart, so that the product cannot overflow however long the process runs.
    const std::uint64_t ticks = jiffies_ + elapsed / second * hz_ + elapsed % second * hz_ / second;
    return static_cast<std::uint32_t>(ticks * multiplier() >> 24);
}

Result<KernelClock> KernelClock::open() {
    const LibbpfLog log;
    const std::unique_ptr<clock_bpf, decltype(&clock_bpf__destroy)> object(clock_bpf__open(),
                                                                           &clock_bpf__destroy);
    if (!object) return failure(bpf_error("open the clock program", errno));
    if (const int error = clock_bpf__load(object.get()); error != 0)
        return failure(bpf_error("load the clock program", -error));
    const int program = bpf_program__fd(object->progs.read_clock);

    auto first = take_sample(program);
    if (!first) return failure(std::move(first.error()));
    for (int i = 1; i <= 5; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(i == 1 ? 120 : 200));
        const auto last = take_sample(program);
        if (!last) return failure(last.error());
        KernelClock clock;
        clock.hz_ =
            nearest_hz(last->jiffies - first->jiffies, last->nanoseconds - first->nanoseconds);
        clock.jiffies_ = last->jiffies;
        clock.nanoseconds_ = last->nanoseconds;
        if (clock.hz_ != 0) return clock;
    }
    return failure("the kernel's tick rate is none of 100, 250, 300 and 1000 a second");
}

}  // namespace bascule::dataplane
