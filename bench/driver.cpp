// SPDX-License-Identifier: Apache-2.0
#include "bench/driver.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include "wrapper.skel.h"

namespace bascule::bench {

namespace {

// `struct plan` of wrapper.bpf.c.
struct Plan {
    std::array<std::uint8_t, template_bytes> bytes;
    std::uint32_t ipv6, flows, next, reserved;
};

constexpr std::size_t ethertype_at = 12;
constexpr std::uint64_t line_bytes = 64;

}  // namespace

void Driver::Close::operator()(wrapper_bpf* object) const {
    wrapper_bpf__destroy(object);
}

Result<Driver> Driver::open() {
    Driver driver;
    driver.object_.reset(wrapper_bpf__open_and_load());
    if (!driver.object_) return failure(Error::system("load the wrapper", errno));
    return driver;
}

Result<void> Driver::aim(const std::vector<std::uint8_t>& frame, std::uint32_t flows,
                         std::uint32_t first) {
    if (frame.size() != template_bytes)
        return failure("the wrapper's template has to have 80 bytes");
    Plan plan{};
    std::copy(frame.begin(), frame.end(), plan.bytes.begin());
    plan.ipv6 = frame[ethertype_at] == 0x86;
    plan.flows = flows;
    plan.next = first;
    const std::uint32_t zero = 0;
    if (bpf_map_update_elem(bpf_map__fd(object_->maps.plans), &zero, &plan, BPF_ANY) != 0)
        return failure(Error::system("set the wrapper's template", errno));
    return {};
}

Result<void> Driver::put_under_test(int program) {
    const std::uint32_t zero = 0;
    if (bpf_map_update_elem(bpf_map__fd(object_->maps.under_test), &zero, &program, BPF_ANY) != 0)
        return failure(Error::system("put a program behind the wrapper", errno));
    return {};
}

Result<Repeated> Driver::run(std::uint32_t repeat) const {
    std::array<std::uint8_t, template_bytes> in{};
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.data_in = in.data();
    options.data_size_in = in.size();
    options.repeat = static_cast<int>(repeat);
    if (const int error = bpf_prog_test_run_opts(bpf_program__fd(object_->progs.wrap), &options);
        error != 0)
        return failure(Error::system("run the wrapper", -error));
    return Repeated{options.retval, options.duration};
}

int Driver::bare_drop() const {
    return bpf_program__fd(object_->progs.bare_drop);
}

int Driver::minimal_tx() const {
    return bpf_program__fd(object_->progs.minimal_tx);
}

int Driver::add_ipv4() const {
    return bpf_program__fd(object_->progs.add_ipv4);
}

int Driver::add_ipv6() const {
    return bpf_program__fd(object_->progs.add_ipv6);
}

// An object of its own, since the size of its table is known only now.
Result<int> Driver::memory_access(std::uint64_t table_bytes) {
    const std::uint64_t lines = std::max<std::uint64_t>(1, table_bytes / line_bytes);
    if (lines > std::numeric_limits<std::uint32_t>::max()) return failure("table too large");
    with_memory_.reset(wrapper_bpf__open());
    if (!with_memory_) return failure(Error::system("open the wrapper", errno));
    const_cast<std::uint32_t&>(static_cast<const volatile std::uint32_t&>(
        with_memory_->rodata->memory_lines)) = static_cast<std::uint32_t>(lines);
    if (const int error =
            bpf_map__set_max_entries(with_memory_->maps.memory, static_cast<std::uint32_t>(lines));
        error != 0)
        return failure(Error::system("size the table of the reference", -error));
    if (const int error = wrapper_bpf__load(with_memory_.get()); error != 0)
        return failure(Error::system("load the reference", -error));
    return bpf_program__fd(with_memory_->progs.memory_access);
}

}  // namespace bascule::bench
