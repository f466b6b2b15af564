// SPDX-License-Identifier: Apache-2.0
// The kernel: its version and what it lets one do. Pure; any thread.
#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "node/doctor_looks.h"

namespace bascule::node {

namespace {

constexpr std::pair<unsigned, unsigned> oldest{6, 1};

// Nullopt: it does not begin with two numbers.
std::optional<std::pair<unsigned, unsigned>> version_of(const std::string& release) {
    std::pair<unsigned, unsigned> version;
    const char* const end = release.data() + release.size();
    const auto major = std::from_chars(release.data(), end, version.first);
    if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
    if (std::from_chars(major.ptr + 1, end, version.second).ec != std::errc()) return std::nullopt;
    return version;
}

void judge_release(const KernelLook& look, Examination& examination) {
    const auto version = version_of(look.release);
    if (!version)
        return examination.fail("kernel-old",
                                fmt::format("'{}' is no version of a kernel", look.release));
    examination.look("kernel-old");
    if (*version < oldest)
        examination.found("kernel-old", fmt::format("Linux {} runs here", look.release));
}

void judge_bpf(const KernelLook& look, Examination& examination) {
    examination.look("bpf-refused");
    if (!look.bpf) examination.found("bpf-refused", look.bpf.error().text());
    if (!look.bpffs) return examination.fail("bpffs-missing", look.bpffs.error().text());
    examination.look("bpffs-missing");
    if (!look.bpffs->is_bpffs)
        examination.found("bpffs-missing",
                          fmt::format("{} is not on a bpffs: none is mounted at {}",
                                      look.bpffs->path, look.bpffs->mount),
                          {{"mount", look.bpffs->mount}});
}

void judge_jit(const KernelLook& look, Examination& examination) {
    if (look.jit_enable) {
        examination.look("bpf-jit-off");
        if (*look.jit_enable == 0) examination.found("bpf-jit-off", "BPF programs are interpreted");
    } else {
        examination.fail("bpf-jit-off", look.jit_enable.error().text());
    }
    if (!look.jit_harden)
        return examination.fail("bpf-jit-hardened", look.jit_harden.error().text());
    examination.look("bpf-jit-hardened");
    if (*look.jit_harden >= 2)
        examination.found("bpf-jit-hardened", "constants of all BPF programs are hidden");
}

}  // namespace

void judge_kernel(const KernelLook& look, Examination& examination) {
    judge_release(look, examination);
    judge_bpf(look, examination);
    judge_jit(look, examination);
    if (!look.clock_synchronised)
        return examination.fail("clock-unsynchronised", look.clock_synchronised.error().text());
    examination.look("clock-unsynchronised");
    if (!*look.clock_synchronised)
        examination.found("clock-unsynchronised", "the kernel says that nobody keeps its clock");
}

}  // namespace bascule::node
