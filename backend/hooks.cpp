// SPDX-License-Identifier: Apache-2.0
#include "backend/hooks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <poll.h>

#include <cerrno>

#include "backend/engine.h"
#include "base/descriptor.h"
#include "dataplane/bpffs.h"
#include "dataplane/interface.h"
#include "dataplane/libbpf_log.h"

namespace bascule::backend {
namespace {

constexpr std::uint32_t restore_handle = 0xba5c;
// Ours is to see what leaves before others that may end the walk.
constexpr std::uint32_t first_priority = 1;
constexpr std::uint32_t last_priority = 16;
// A qdisc whose filters somebody is reading cannot be removed for that moment.
constexpr int most_busy = 300;
constexpr int busy_milliseconds = 10;

using dataplane::bpf_error;
using dataplane::LibbpfLog;

// The pinned link, if there is one and it hangs on this interface.
Result<std::optional<Descriptor>> live_link(const std::string& pin, std::uint32_t ifindex) {
    auto link = dataplane::open_pin(pin);
    if (!link || !*link) return link;
    bpf_link_info info{};
    std::uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd((*link)->get(), &info, &size) != 0)
        return failure(bpf_error("read " + pin, errno));
    // An interface that was made anew has another index, and the link then hangs on nothing.
    if (info.type != BPF_LINK_TYPE_XDP || info.xdp.ifindex != ifindex)
        return std::optional<Descriptor>();
    return link;
}

// errno, 0: made.
int make_link(int program, std::uint32_t ifindex, std::uint32_t mode, Descriptor& link) {
    bpf_link_create_opts options{};
    options.sz = sizeof options;
    options.flags = mode;
    const int fd = bpf_link_create(program, static_cast<int>(ifindex), BPF_XDP, &options);
    if (fd < 0) return errno;
    link.reset(fd);
    return 0;
}

bpf_tc_hook egress_of(std::uint32_t ifindex) {
    bpf_tc_hook hook{};
    hook.sz = sizeof hook;
    hook.ifindex = static_cast<int>(ifindex);
    hook.attach_point = BPF_TC_EGRESS;
    return hook;
}

bpf_tc_opts filter_at(std::uint32_t priority) {
    bpf_tc_opts options{};
    options.sz = sizeof options;
    options.handle = restore_handle;
    options.priority = priority;
    return options;
}

std::string name_of_program(std::uint32_t id) {
    const Descriptor program(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) return {};
    return info.name;
}

struct Filter {
    std::uint32_t priority = 0;
    std::uint32_t program = 0;  // id
};

// Ours, told by its handle and the name of its program.
std::optional<Filter> find_filter(std::uint32_t ifindex) {
    const LibbpfLog log;
    const bpf_tc_hook hook = egress_of(ifindex);
    for (std::uint32_t priority = first_priority; priority <= last_priority; ++priority) {
        bpf_tc_opts options = filter_at(priority);
        if (bpf_tc_query(&hook, &options) == 0 && name_of_program(options.prog_id) == restore_name)
            return Filter{priority, options.prog_id};
    }
    return {};
}

Error said_by(const LibbpfLog& log, const std::string& what, int code) {
    const std::string message = log.kernel_message();
    Error error = bpf_error(what, code);
    return message.empty() ? error : Error(error.text() + " (" + message + ")");
}

}  // namespace

// ---- XDP ----

std::string xdp_pin(const std::string& pins, const std::string& interface) {
    return pins + "/xdp_" + dataplane::pin_name_of(interface);
}

bool is_own_pin(const std::string& name) {
    return name.rfind("xdp_", 0) == 0 || name == "counters" || name == "counters_next";
}

Result<void> check_xdp(const std::string& pin, const std::string& interface,
                       std::uint32_t ifindex) {
    auto occupant = dataplane::xdp_occupant(interface, ifindex);
    if (!occupant) return failure(std::move(occupant.error()));
    if (occupant->program == 0 || occupant->program == xdp_program(pin, ifindex)) return {};
    return failure(dataplane::foreign_program(interface, ifindex, *occupant));
}

Result<XdpHook> put_xdp(const std::string& pin, const std::string& interface, std::uint32_t ifindex,
                        int program) {
    auto found = live_link(pin, ifindex);
    if (!found) return failure(std::move(found.error()));
    if (*found) {
        if (bpf_link_update((*found)->get(), program, nullptr) != 0)
            return failure(bpf_error("swap the XDP program on " + interface, errno));
        const auto occupant = dataplane::xdp_occupant(interface, ifindex);
        return XdpHook{occupant && occupant->generic, {}};
    }
    XdpHook hook;
    Descriptor link;
    const int native = make_link(program, ifindex, XDP_FLAGS_DRV_MODE, link);
    if (native == EPERM || native == EBUSY)
        return failure(bpf_error("attach the XDP program to " + interface, native));
    if (native != 0) {
        if (const int error = make_link(program, ifindex, XDP_FLAGS_SKB_MODE, link); error != 0)
            return failure(bpf_error("attach the XDP program to " + interface, error));
        hook.generic = true;
        hook.warning = bpf_error("no native XDP, so generic mode, which is slower", native).text();
    }
    // What is pinned there hangs on nothing any more. A link that is not pinned goes here.
    if (auto gone = dataplane::unpin(pin); !gone) return failure(std::move(gone.error()));
    if (auto pinned = dataplane::pin(link.get(), pin); !pinned)
        return failure(std::move(pinned.error()));
    return hook;
}

Result<void> remove_xdp(const std::string& pin) {
    auto link = dataplane::open_pin(pin);
    if (!link) return failure(std::move(link.error()));
    if (!*link) return {};
    // Whoever else has it open. One whose interface is gone is detached already.
    bpf_link_detach((*link)->get());
    return dataplane::unpin(pin);
}

std::uint32_t xdp_program(const std::string& pin, std::uint32_t ifindex) {
    const auto link = live_link(pin, ifindex);
    if (!link || !*link) return 0;
    bpf_link_info info{};
    std::uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd((*link)->get(), &info, &size) != 0) return 0;
    return info.prog_id;
}

// ---- tc egress ----

Result<bool> make_clsact(const std::string& interface, std::uint32_t ifindex) {
    const LibbpfLog log;
    bpf_tc_hook hook = egress_of(ifindex);
    const int error = bpf_tc_hook_create(&hook);
    if (error != 0 && error != -EEXIST)
        return failure(said_by(log, "put a clsact qdisc on " + interface, -error));
    return error == 0;
}

Result<void> remove_clsact(std::uint32_t ifindex) {
    const LibbpfLog log;
    bpf_tc_hook hook = egress_of(ifindex);
    hook.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
    int error = bpf_tc_hook_destroy(&hook);
    for (int i = 0; i < most_busy && error == -EBUSY; ++i) {
        ::poll(nullptr, 0, busy_milliseconds);
        error = bpf_tc_hook_destroy(&hook);
    }
    if (error != 0 && error != -ENOENT && error != -EINVAL && error != -ENODEV)
        return failure(said_by(log, "remove the clsact qdisc", -error));
    return {};
}

std::uint32_t filter_program(std::uint32_t ifindex) {
    const auto filter = find_filter(ifindex);
    return filter ? filter->program : 0;
}

Result<void> put_filter(const std::string& interface, std::uint32_t ifindex, int program) {
    const auto found = find_filter(ifindex);
    const LibbpfLog log;
    const bpf_tc_hook hook = egress_of(ifindex);
    int error = 0;
    for (std::uint32_t priority = found ? found->priority : first_priority;
         priority <= last_priority; ++priority) {
        bpf_tc_opts options = filter_at(priority);
        options.prog_fd = program;
        options.flags = found ? BPF_TC_F_REPLACE : 0;
        error = bpf_tc_attach(&hook, &options);
        if (error == 0) return {};
        // A priority belongs to one kind of filter, and a handle in it to one filter.
        if (found || (error != -EINVAL && error != -EEXIST)) break;
    }
    return failure(said_by(log, "attach the egress program to " + interface, -error));
}

Result<void> remove_filter(std::uint32_t ifindex) {
    const auto found = find_filter(ifindex);
    if (!found) return {};
    const LibbpfLog log;
    const bpf_tc_hook hook = egress_of(ifindex);
    const bpf_tc_opts options = filter_at(found->priority);
    const int error = bpf_tc_detach(&hook, &options);
    if (error != 0 && error != -ENOENT && error != -EINVAL)
        return failure(said_by(log, "take the egress program off", -error));
    return {};
}

}  // namespace bascule::backend
