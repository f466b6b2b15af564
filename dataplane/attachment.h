// SPDX-License-Identifier: Apache-2.0
// The programs on the interfaces: pinned links, each with a copy of the program of its own.
//
// Thread: control. Invariant: an interface that had the program keeps it; a copy is swapped in
// under its link, never taken off first (but where another mode is asked for, which the kernel
// cannot change in place).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "bpf/contract.h"
#include "dataplane/bpffs.h"
#include "dataplane/dataplane.h"
#include "dataplane/loader.h"

namespace bascule::dataplane {

class Attachments {
public:
    // `load` makes the program's copy for a port. `ports`: as mapped.
    using Load = std::function<Result<Program>(std::uint32_t port, Flavour flavour)>;
    Attachments(const Pins& pins, Program first, Load load, std::span<bsc_port> ports);

    // Finds the links that an earlier process pinned. Those whose interface is gone go, too.
    Result<void> adopt();
    // A copy of this process's program under every link that has an earlier one.
    Result<void> swap_all();

    // `route_ifindex`: as routes name the interface; 0: by its own index.
    Result<Attachment> attach(const std::string& interface, model::XdpMode mode,
                              std::uint32_t route_ifindex);
    Result<void> detach(const std::string& interface);
    std::vector<Attachment> list() const;
    void mac_changed(std::uint32_t ifindex, Mac mac);
    int program_fd() const;
    // The tracing copy for an interface that carries the program; made when first asked for.
    Result<int> tracing_program(const std::string& interface);
    // Capturing copies under all links, and back. When one cannot be swapped, those that were are
    // swapped back as far as the kernel lets them.
    Result<void> set_capturing(bool on);

private:
    using ProgramKey = std::pair<Flavour, std::uint32_t>;  // and port
    struct Attached {
        Attachment shown;
        Descriptor link;
        std::optional<std::uint32_t> port;  // index; none: that of an earlier process is not known
        bool current = false;               // runs this process's copy
        std::uint32_t route_ifindex = 0;
    };

    Result<Attachment> attach_new(const std::string& interface, std::uint32_t ifindex,
                                  model::XdpMode mode, std::uint32_t route_ifindex);
    Result<Attachment> replace(Attached& attached, model::XdpMode mode);
    Result<void> remake(Attached& attached, model::XdpMode mode);
    Result<void> swap(Attached& attached);
    Result<void> choose_link(Attached& attached, model::XdpMode mode, int program);
    Result<std::uint32_t> take_port(const Attached& attached);
    void set_route(Attached& attached, std::uint32_t route_ifindex);
    Result<int> program_for(std::uint32_t port);
    Result<int> copy_of(Flavour flavour, std::uint32_t port);
    Result<void> swap_to_carrying(Attached& attached);
    Result<void> forget(const std::string& interface);
    bool is_alive(const Attached& attached, std::uint32_t ifindex) const;

    Pins pins_;
    Load load_;
    std::span<bsc_port> ports_;
    std::map<ProgramKey, Program> programs_;
    Flavour carrying_ = Flavour::live;          // what is under the links
    std::map<std::string, Attached> attached_;  // by interface
    std::uint32_t first_port_ = 0;
};

}  // namespace bascule::dataplane
