// SPDX-License-Identifier: Apache-2.0
// On which CPU the calling thread runs.
#pragma once

#include <sched.h>

#include <cerrno>
#include <system_error>
#include <vector>

namespace bascule::test {

inline cpu_set_t current_cpus() {
    cpu_set_t set;
    if (::sched_getaffinity(0, sizeof(set), &set) != 0)
        throw std::system_error(errno, std::generic_category(), "sched_getaffinity");
    return set;
}

inline std::vector<int> usable_cpus() {
    const cpu_set_t set = current_cpus();
    std::vector<int> cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    return cpus;
}

inline void pin_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (::sched_setaffinity(0, sizeof(set), &set) != 0)
        throw std::system_error(errno, std::generic_category(), "sched_setaffinity");
}

// Gives the thread back the CPUs that it had.
class CpuGuard {
public:
    CpuGuard() : before_(current_cpus()) {}
    ~CpuGuard() { (void)::sched_setaffinity(0, sizeof(before_), &before_); }
    CpuGuard(const CpuGuard&) = delete;
    CpuGuard& operator=(const CpuGuard&) = delete;

private:
    cpu_set_t before_;
};

}  // namespace bascule::test
