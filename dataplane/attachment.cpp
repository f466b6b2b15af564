// SPDX-License-Identifier: Apache-2.0
#include "dataplane/attachment.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "bpf/atomics.h"
#include "dataplane/interface.h"
#include "dataplane/libbpf_log.h"
#include "dataplane/link.h"

namespace bascule::dataplane {

namespace {

using model::XdpMode;

std::string reason_of(int code) {
    return std::generic_category().message(code);
}

// Why a driver refuses comes back through netlink only, not with a link: ask once more that way.
std::string why_not_native(int program, std::uint32_t ifindex, int link_error) {
    const LibbpfLog log;
    constexpr std::uint32_t flags = XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST;
    if (bpf_xdp_attach(static_cast<int>(ifindex), program, flags, nullptr) == 0) {
        bpf_xdp_detach(static_cast<int>(ifindex), XDP_FLAGS_DRV_MODE, nullptr);
        return reason_of(link_error);
    }
    const std::string message = log.kernel_message();
    return message.empty() ? reason_of(link_error) : message;
}

const char* adopted_generic =
    "was attached in generic mode before: detach it and start again to try native";

}  // namespace

Attachments::Attachments(const Pins& pins, Program first, Load load, std::span<bsc_port> ports)
    : pins_(pins), load_(std::move(load)), ports_(ports) {
    programs_.emplace(ProgramKey{Flavour::live, 0}, std::move(first));
}

Result<void> Attachments::adopt() {
    auto names = list_directory(pins_.links);
    if (!names) return failure(std::move(names.error()));
    std::map<std::string, std::string> moved;  // from where a pin stands meanwhile to its place
    for (const std::string& name : *names) {
        auto link = open_pin(pins_.links + "/" + name);
        if (!link) return failure(std::move(link.error()));
        const Result<std::uint32_t> found = *link ? interface_of_link((*link)->get()) : 0U;
        if (!found) return failure(Error(found.error()).within(pins_.links + "/" + name));
        const std::uint32_t ifindex = *found;
        if (ifindex == 0) {
            if (auto gone = unpin(pins_.links + "/" + name); !gone) return gone;
            continue;
        }
        const std::string interface = name_of_interface(ifindex, interface_of_pin(name));
        // By way of a name that no interface has: the pin in its place may be another one's, which
        // would be lost, and with it the program.
        if (const std::string from = pins_.links + "/" + name; from != pins_.link(interface)) {
            const std::string between = pins_.links + "/ifindex:" + std::to_string(ifindex);
            if (auto named = rename_pin(from, between); !named) return named;
            moved.emplace(between, pins_.link(interface));
        }
        Attached attached;
        attached.shown = {interface, ifindex, XdpMode::native, true, {}};
        if (const auto occupant = xdp_occupant(interface, ifindex); occupant && occupant->generic) {
            attached.shown.mode = XdpMode::generic;
            attached.shown.warning = adopted_generic;
        }
        for (std::uint32_t port = 0; port < ports_.size(); port++)
            if (ports_[port].ifindex == ifindex && !attached.port) attached.port = port;
        attached.link = std::move(**link);
        attached_.emplace(interface, std::move(attached));
    }
    for (const auto& [from, to] : moved)
        if (auto named = rename_pin(from, to); !named) return named;
    return {};
}

Result<void> Attachments::swap_all() {
    for (auto& [interface, attached] : attached_)
        if (!attached.current)
            if (auto swapped = swap(attached); !swapped)
                return failure(
                    std::move(swapped.error()).within("swap the program on " + interface));
    return {};
}

Result<Attachment> Attachments::attach(const std::string& interface, XdpMode mode,
                                       std::uint32_t route_ifindex) {
    const auto context = [&](Error&& error) {
        return failure(std::move(error).within("attach " + interface));
    };
    auto ifindex = index_of_interface(interface);
    if (!ifindex) return context(std::move(ifindex.error()));
    const auto found = attached_.find(interface);
    if (found != attached_.end() && is_alive(found->second, *ifindex)) {
        set_route(found->second, route_ifindex);
        auto replaced = replace(found->second, mode);
        return replaced ? replaced : context(std::move(replaced.error()));
    }
    if (found != attached_.end())
        if (auto gone = forget(interface); !gone) return context(std::move(gone.error()));
    auto made = attach_new(interface, *ifindex, mode, route_ifindex);
    return made ? made : context(std::move(made.error()));
}

// An interface may have been made anew under its old name: then the link hangs on nothing.
bool Attachments::is_alive(const Attached& attached, std::uint32_t ifindex) const {
    const auto on = interface_of_link(attached.link.get());
    return !on || *on == ifindex;
}

Result<Attachment> Attachments::attach_new(const std::string& interface, std::uint32_t ifindex,
                                           XdpMode mode, std::uint32_t route_ifindex) {
    auto occupant = xdp_occupant(interface, ifindex);
    if (!occupant) return failure(std::move(occupant.error()));
    if (occupant->program != 0) return failure(foreign_program(interface, ifindex, *occupant));

    Attached attached;
    attached.shown = {interface, ifindex, XdpMode::native, false, {}};
    set_route(attached, route_ifindex);
    auto port = take_port(attached);
    if (!port) return failure(std::move(port.error()));
    attached.port = *port;
    auto program = program_for(*port);
    if (!program) return failure(std::move(program.error()));
    if (auto made = choose_link(attached, mode, *program); !made)
        return failure(std::move(made.error()));
    // A link that is not pinned goes with its descriptor, here.
    if (auto pinned = pin(attached.link.get(), pins_.link(interface)); !pinned)
        return failure(std::move(pinned.error()));
    attached.current = true;
    if (attached_.empty()) first_port_ = *port;
    return attached_.emplace(interface, std::move(attached)).first->second.shown;
}

// Native where it works; what the mode allows where it does not.
Result<void> Attachments::choose_link(Attached& attached, XdpMode mode, int program) {
    Attachment& shown = attached.shown;
    shown.warning.clear();
    if (mode != XdpMode::generic) {
        LinkAttempt native = make_link(program, shown.ifindex, XdpMode::native);
        if (native.link) {
            shown.mode = XdpMode::native;
            attached.link = std::move(native.link);
            return {};
        }
        if (native.error == EPERM)
            return failure(bpf_error("attach the XDP program", native.error));
        const std::string why = why_not_native(program, shown.ifindex, native.error);
        if (mode == XdpMode::native) return failure("the driver has no native XDP here: " + why);
        shown.warning = "no native XDP, so generic mode, which is slower: " + why;
    }
    LinkAttempt generic = make_link(program, shown.ifindex, XdpMode::generic);
    if (!generic.link)
        return failure(bpf_error("attach the XDP program in generic mode", generic.error));
    shown.mode = XdpMode::generic;
    attached.link = std::move(generic.link);
    return {};
}

Result<Attachment> Attachments::replace(Attached& attached, XdpMode mode) {
    if (!attached.current)
        if (auto swapped = swap(attached); !swapped) return failure(std::move(swapped.error()));
    if (mode != XdpMode::automatic && mode != attached.shown.mode)
        if (auto made = remake(attached, mode); !made) return failure(std::move(made.error()));
    return attached.shown;
}

Result<void> Attachments::swap(Attached& attached) {
    const Attachment& shown = attached.shown;
    if (!attached.port) {
        auto port = take_port(attached);
        if (!port) return failure(std::move(port.error()));
        attached.port = *port;
    } else if (const auto mac = mac_of_interface(shown.interface); mac) {
        bsc_store(&ports_[*attached.port].mac, mac->to_word());
    }
    auto program = program_for(*attached.port);
    if (!program) return failure(std::move(program.error()));
    if (bpf_link_update(attached.link.get(), *program, nullptr) != 0)
        return failure(bpf_error("swap the program under its link", errno));
    if (std::none_of(attached_.begin(), attached_.end(),
                     [](const auto& other) { return other.second.current; }))
        first_port_ = *attached.port;
    attached.current = true;
    return {};
}

// The kernel cannot change the mode under a link. If the new mode is refused the old one comes
// back, and the error tells.
Result<void> Attachments::remake(Attached& attached, XdpMode mode) {
    const XdpMode before = attached.shown.mode;
    const std::string path = pins_.link(attached.shown.interface);
    auto program = program_for(*attached.port);
    if (!program) return failure(std::move(program.error()));
    if (auto gone = unpin(path); !gone) return gone;
    detach_link(attached.link.get());
    auto made = choose_link(attached, mode, *program);
    if (!made)
        if (auto restored = choose_link(attached, before, *program); !restored)
            return failure(
                std::move(made.error())
                    .within("lost the old attachment, too (" + restored.error().text() + ")"));
    if (auto pinned = pin(attached.link.get(), path); !pinned) return pinned;
    return made;
}

void Attachments::set_route(Attached& attached, std::uint32_t route_ifindex) {
    attached.route_ifindex = route_ifindex != 0 ? route_ifindex : attached.shown.ifindex;
    if (attached.port) ports_[*attached.port].route_ifindex = attached.route_ifindex;
}

// An entry of `ports` that no attached interface uses; the one of this interface if it has one.
Result<std::uint32_t> Attachments::take_port(const Attached& attached) {
    const std::uint32_t ifindex = attached.shown.ifindex;
    const auto is_used = [&](std::uint32_t port) {
        return std::any_of(attached_.begin(), attached_.end(),
                           [&](const auto& other) { return other.second.port == port; });
    };
    std::optional<std::uint32_t> chosen;
    for (std::uint32_t port = 0; port < ports_.size(); port++) {
        if (is_used(port)) continue;
        const bool own = ports_[port].ifindex == ifindex;
        if (!chosen || own) chosen = port;
        if (own) break;
    }
    if (!chosen) return failure("more than " + std::to_string(ports_.size()) + " interfaces");
    auto mac = mac_of_interface(attached.shown.interface);
    if (!mac) return failure(std::move(mac.error()));
    bsc_port& port = ports_[*chosen];
    // An entry of its own says already how routes name it.
    if (attached.route_ifindex != 0 || port.ifindex != ifindex)
        port.route_ifindex = attached.route_ifindex != 0 ? attached.route_ifindex : ifindex;
    port.ifindex = ifindex;
    bsc_store(&port.mac, mac->to_word());
    return *chosen;
}

Result<int> Attachments::program_for(std::uint32_t port) {
    return copy_of(carrying_, port);
}

Result<int> Attachments::copy_of(Flavour flavour, std::uint32_t port) {
    const auto found = programs_.find({flavour, port});
    if (found != programs_.end()) return found->second.fd();
    auto program = load_(port, flavour);
    if (!program) return failure(std::move(program.error()));
    return programs_.emplace(ProgramKey{flavour, port}, std::move(*program)).first->second.fd();
}

Result<int> Attachments::tracing_program(const std::string& interface) {
    const auto found = attached_.find(interface);
    if (found == attached_.end() || !found->second.port)
        return failure("interface " + interface + " carries no program of this daemon");
    return copy_of(Flavour::tracing, *found->second.port);
}

Result<void> Attachments::swap_to_carrying(Attached& attached) {
    auto program = program_for(*attached.port);
    if (!program) return failure(std::move(program.error()));
    if (bpf_link_update(attached.link.get(), *program, nullptr) != 0)
        return failure(bpf_error("swap the program on " + attached.shown.interface, errno));
    return {};
}

Result<void> Attachments::set_capturing(bool on) {
    carrying_ = on ? Flavour::capturing : Flavour::live;
    Result<void> outcome;
    for (auto& [interface, attached] : attached_)
        if (attached.current && outcome) outcome = swap_to_carrying(attached);
    if (!outcome && on) {
        carrying_ = Flavour::live;
        for (auto& [interface, attached] : attached_)
            if (attached.current) (void)swap_to_carrying(attached);
    }
    // Those under links live on in the kernel as long as they are there.
    if (carrying_ == Flavour::live)
        std::erase_if(programs_, [](const auto& program) {
            return program.first.first == Flavour::capturing;
        });
    return outcome;
}

// Pin, link and port of an interface; harmless where the link is dead already.
Result<void> Attachments::forget(const std::string& interface) {
    if (auto gone = unpin(pins_.link(interface)); !gone) return gone;
    const auto found = attached_.find(interface);
    detach_link(found->second.link.get());
    if (found->second.port) {
        bsc_port& port = ports_[*found->second.port];
        bsc_store(&port.mac, 0);
        port.ifindex = 0;
        port.route_ifindex = 0;
    }
    attached_.erase(found);
    return {};
}

Result<void> Attachments::detach(const std::string& interface) {
    if (!attached_.contains(interface))
        return failure("detach " + interface + ": the program is not on it");
    if (auto gone = forget(interface); !gone)
        return failure(std::move(gone.error()).within("detach " + interface));
    return {};
}

std::vector<Attachment> Attachments::list() const {
    std::vector<Attachment> list;
    for (const auto& [interface, attached] : attached_) {
        list.push_back(attached.shown);
        list.back().alive = is_alive(attached, attached.shown.ifindex);
    }
    return list;
}

void Attachments::mac_changed(std::uint32_t ifindex, Mac mac) {
    for (const auto& [interface, attached] : attached_)
        if (attached.shown.ifindex == ifindex && attached.port)
            bsc_store(&ports_[*attached.port].mac, mac.to_word());
}

int Attachments::program_fd() const {
    const auto first = programs_.find({Flavour::live, first_port_});
    return first != programs_.end() ? first->second.fd() : programs_.begin()->second.fd();
}

}  // namespace bascule::dataplane
