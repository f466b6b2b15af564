// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>

#include <cerrno>
#include <charconv>
#include <filesystem>

#include "dataplane/interface.h"
#include "node/doctor_look.h"
#include "node/files.h"

namespace bascule::node {

namespace {

constexpr std::size_t most_bytes = 65536;

Result<BpffsLook> look_at_bpffs(const std::string& path) {
    std::filesystem::path there = path;
    struct statfs info {};
    while (::statfs(there.c_str(), &info) != 0) {
        if (errno != ENOENT || !there.has_relative_path())
            return failure(Error::system(there.string(), errno));
        there = there.parent_path();
    }
    return BpffsLook{path, there.string(), info.f_type == BPF_FS_MAGIC};
}

// Of sysctls that only the machine's own network namespace has.
Result<long> read_core(const char* name) {
    const std::string path = std::string("/proc/sys/net/core/") + name;
    auto number = read_number(path);
    if (!number && ::access(path.c_str(), F_OK) != 0)
        return failure(fmt::format("{} cannot be seen in this network namespace", path));
    return number;
}

// A filter for system calls may end the process that makes a wrong one.
bool is_filtered() {
    const auto status = read_small_file("/proc/self/status", most_bytes);
    return !status || !*status || (*status)->find("\nSeccomp:\t0") == std::string::npos;
}

Result<bool> clock_synchronised() {
    if (!is_filtered()) {
        timex clock{};
        const int state = ::adjtimex(&clock);
        if (state < 0) return failure(Error::system("ask for the state of the clock", errno));
        return state != TIME_ERROR && (clock.status & STA_UNSYNC) == 0;
    }
    // By systemd-timesyncd, as it synchronises.
    if (::access("/run/systemd/timesync/synchronized", F_OK) == 0) return true;
    return failure("basculed may not ask the kernel, and systemd-timesyncd does not say");
}

}  // namespace

Result<std::string> read_line(const std::string& path) {
    auto text = read_small_file(path, most_bytes);
    if (!text) return failure(std::move(text.error()).within(path));
    if (!*text) return failure(path + ": there is no such file");
    return (*text)->substr(0, (*text)->find('\n'));
}

Result<long> read_number(const std::string& path) {
    const auto line = read_line(path);
    if (!line) return failure(line.error());
    long number = 0;
    const char* const end = line->data() + line->size();
    if (std::from_chars(line->data(), end, number).ptr != end || line->empty())
        return failure(fmt::format("{}: '{}' is no number", path, *line));
    return number;
}

KernelLook look_at_kernel(const Options& options, DaemonOrNone daemon) {
    KernelLook look;
    utsname names{};
    if (::uname(&names) == 0) look.release = names.release;
    if (daemon == nullptr) look.bpf = dataplane::try_bpf();
    look.bpffs = look_at_bpffs(options.bpffs);
    look.jit_enable = read_core("bpf_jit_enable");
    look.jit_harden = read_core("bpf_jit_harden");
    look.clock_synchronised = clock_synchronised();
    return look;
}

}  // namespace bascule::node
