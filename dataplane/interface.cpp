// SPDX-License-Identifier: Apache-2.0
#include "dataplane/interface.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/descriptor.h"
#include "base/interface_index.h"
#include "dataplane/bpffs.h"
#include "dataplane/libbpf_log.h"

namespace bascule::dataplane {

namespace {

// Asking for a program or a link by id needs CAP_SYS_ADMIN, which the daemon need not have; the
// refusal is then a little poorer, not wrong.
std::string name_of_program(std::uint32_t id) {
    const Descriptor program(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) return {};
    return info.name;
}

// 0: attached without a link, or not allowed to know.
std::uint32_t link_of_program(std::uint32_t program, std::uint32_t ifindex) {
    constexpr int most_links = 65536;
    std::uint32_t id = 0;
    for (int i = 0; i < most_links && bpf_link_get_next_id(id, &id) == 0; i++) {
        const Descriptor link(bpf_link_get_fd_by_id(id));
        bpf_link_info info{};
        std::uint32_t size = sizeof(info);
        if (!link || bpf_obj_get_info_by_fd(link.get(), &info, &size) != 0) continue;
        if (info.type == BPF_LINK_TYPE_XDP && info.prog_id == program &&
            info.xdp.ifindex == ifindex)
            return id;
    }
    return 0;
}

// Whether a daemon of any layout has pinned the link that holds this program on the interface.
Result<bool> is_pinned(const std::string& interface, std::uint32_t program,
                       const std::string& bpffs) {
    if (::access(bpffs.c_str(), F_OK) != 0 && errno == EACCES)
        return failure(Error::system("look into " + bpffs, EACCES));
    const auto versions = list_versions(bpffs);
    if (!versions) return false;  // no bpffs: nothing can be pinned there
    for (const std::string& version : *versions) {
        auto link = open_pin(version + "/links/" + pin_name_of(interface));
        if (!link) return failure(std::move(link.error()));
        if (!*link) continue;
        bpf_link_info info{};
        std::uint32_t size = sizeof(info);
        if (bpf_obj_get_info_by_fd((*link)->get(), &info, &size) == 0 && info.prog_id == program)
            return true;
    }
    return false;
}

}  // namespace

Result<std::uint32_t> index_of_interface(const std::string& name) {
    const std::uint32_t index = interface_index(name);
    if (index == 0) return failure("there is no network interface '" + name + "'");
    return index;
}

std::string name_of_interface(std::uint32_t ifindex, const std::string& otherwise) {
    char name[IF_NAMESIZE];
    return ::if_indextoname(ifindex, name) != nullptr ? std::string(name) : otherwise;
}

Result<Mac> mac_of_interface(const std::string& name) {
    const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    if (!socket) return failure(Error::system("open a socket", errno));
    if (name.size() >= sizeof(request.ifr_name))
        return failure("there is no network interface '" + name + "'");
    std::memcpy(request.ifr_name, name.c_str(), name.size() + 1);
    if (::ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0)
        return failure(Error::system("read the MAC address of " + name, errno));
    Mac mac;
    std::memcpy(mac.bytes.data(), request.ifr_hwaddr.sa_data, mac.bytes.size());
    return mac;
}

Result<XdpOccupant> xdp_occupant(const std::string& name, std::uint32_t ifindex) {
    bpf_xdp_query_opts options{};
    options.sz = sizeof(options);
    if (const int error = bpf_xdp_query(static_cast<int>(ifindex), 0, &options); error != 0)
        return failure(bpf_error("ask " + name + " for its XDP program", -error));
    XdpOccupant occupant;
    occupant.generic = options.attach_mode == XDP_ATTACHED_SKB;
    for (const std::uint32_t id :
         {options.prog_id, options.drv_prog_id, options.skb_prog_id, options.hw_prog_id})
        if (occupant.program == 0) occupant.program = id;
    return occupant;
}

Result<XdpSeen> look_at_xdp(const std::string& name, std::uint32_t ifindex,
                            const std::string& bpffs) {
    auto occupant = xdp_occupant(name, ifindex);
    if (!occupant) return failure(std::move(occupant.error()));
    XdpSeen seen;
    seen.program = occupant->program;
    seen.generic = occupant->generic;
    if (seen.program == 0) return seen;
    auto ours = is_pinned(name, seen.program, bpffs);
    if (!ours) return failure(std::move(ours.error()));
    seen.ours = *ours;
    seen.name = name_of_program(seen.program);
    if (!seen.ours) seen.link = link_of_program(seen.program, ifindex);
    return seen;
}

Result<void> try_bpf() {
    const LibbpfLog log;
    const Descriptor map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "doctor", 4, 8, 1, nullptr));
    if (!map) return failure(bpf_error("make a BPF map", errno));
    return {};
}

Error foreign_program(const std::string& name, std::uint32_t ifindex, const XdpOccupant& occupant) {
    const std::string program = name_of_program(occupant.program);
    const std::uint32_t link = link_of_program(occupant.program, ifindex);
    std::string text = name + " carries another XDP program already (";
    if (!program.empty()) text += "'" + program + "', ";
    text += "id " + std::to_string(occupant.program);
    if (link != 0) {
        const std::string id = std::to_string(link);
        return Error(text + "), attached by link " + id +
                     ": detach it first (`bpftool link detach id " + id + "`)");
    }
    return Error(text + "): detach it first (`ip link set dev " + name +
                 (occupant.generic ? " xdpgeneric off`)" : " xdp off`)"));
}

}  // namespace bascule::dataplane
