// SPDX-License-Identifier: Apache-2.0
#include "dataplane/link.h"

#include <bpf/bpf.h>
#include <linux/if_link.h>

#include <cerrno>

#include "dataplane/bpffs.h"

namespace bascule::dataplane {

LinkAttempt make_link(int program, std::uint32_t ifindex, model::XdpMode mode) {
    bpf_link_create_opts options{};
    options.sz = sizeof(options);
    options.flags = mode == model::XdpMode::native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
    const int fd = bpf_link_create(program, static_cast<int>(ifindex), BPF_XDP, &options);
    return fd >= 0 ? LinkAttempt{Descriptor(fd), 0} : LinkAttempt{Descriptor(), errno};
}

Result<std::uint32_t> interface_of_link(int link) {
    bpf_link_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(link, &info, &size) != 0)
        return failure(Error::system("ask for the interface of a link", errno));
    if (info.type != BPF_LINK_TYPE_XDP)
        return failure("is not the link of an XDP program, so not one of Bascule's: remove it");
    return info.xdp.ifindex;
}

void detach_link(int link) {
    bpf_link_detach(link);
}

Result<void> take_off(const std::string& pin) {
    auto link = open_pin(pin);
    if (!link) return failure(std::move(link.error()));
    if (*link) detach_link((*link)->get());
    return unpin(pin);
}

Result<void> detach_links(const std::string& directory) {
    auto names = list_directory(directory);
    if (!names) return failure(std::move(names.error()));
    for (const std::string& name : *names)
        if (auto off = take_off(directory + "/" + name); !off) return off;
    return {};
}

}  // namespace bascule::dataplane
