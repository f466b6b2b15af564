// SPDX-License-Identifier: Apache-2.0
#include "backend/companion.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>

#include "backend/files.h"
#include "backend/hooks.h"
#include "backend/leftovers.h"
#include "dataplane/bpffs.h"
#include "dataplane/interface.h"

namespace bascule::backend {
namespace {

const Link* find_link(const std::vector<Link>& links, const std::string& name) {
    const auto found = std::find_if(links.begin(), links.end(),
                                    [&](const Link& link) { return link.name == name; });
    return found == links.end() ? nullptr : &*found;
}

template <typename T>
bool contains(const std::vector<T>& all, const T& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

// Keeps the first failure of several steps that are all tried.
void keep_first(Result<void>& first, Result<void> next) {
    if (first && !next) first = std::move(next);
}

}  // namespace

Companion::Companion(const Options& options, Descriptor lock, Netlink netlink)
    : options_(options), lock_(std::move(lock)), netlink_(std::move(netlink)) {}

Result<Companion> Companion::open(const Options& options) {
    if (auto made = make_directory(options.runtime_dir); !made)
        return failure(std::move(made.error()));
    auto lock = take_lock(options.lock_file());
    if (!lock) return failure(std::move(lock.error()));
    if (!*lock)
        return failure("another bascule-backend runs on " + options.runtime_dir + " (process " +
                       std::to_string(lock_holder(options.lock_file()).value_or(Holder{}).process) +
                       ")");
    auto netlink = Netlink::open();
    if (!netlink) return failure(std::move(netlink.error()));
    auto record = load_record(options.record_file());
    if (!record) return failure(std::move(record.error()));
    Companion companion(options, std::move(**lock), std::move(*netlink));
    if (*record) {
        companion.record_ = std::move(**record);
        return companion;
    }
    auto leftovers = find_leftovers(companion.netlink_, options.bpffs, options.sysctl_file());
    if (!leftovers) return failure(std::move(leftovers.error()));
    if (!leftovers->empty())
        spdlog::warn(
            "{} is lost: VIPs and programs of an earlier process are known by their marks, "
            "but not how this host's qdiscs were before, nor ARP settings that no file tells of",
            options.record_file());
    companion.record_ = std::move(*leftovers);
    return companion;
}

// ---- apply ----

Result<void> Companion::apply(const Config& config, const std::string& text) {
    auto links = examine(config);
    if (!links) return failure(std::move(links.error()));
    const bool was_active = active();
    auto changed = change(config, *links);
    if (changed) changed = write_file(options_.applied_file(), text, 0600);
    if (!changed) {
        go_back(changed.error(), was_active);
        return changed;
    }
    config_ = config;
    is_torn_ = false;
    pace_ = {};
    return {};
}

// Everything that can be known before anything is changed.
Result<std::vector<Link>> Companion::examine(const Config& config) {
    auto links = netlink_.links();
    if (!links) return links;
    for (const std::string& name : config.interfaces)
        if (auto well = examine_interface(config, name, *links); !well)
            return failure(std::move(well.error()));
    for (const auto& [path, value] : wanted_sysctls(config))
        if (auto now = read_sysctl(path); !now) return failure(std::move(now.error()));
    if (auto made = dataplane::make_directory(options_.bpffs); !made)
        return failure(std::move(made.error()));
    return links;
}

Result<void> Companion::examine_interface(const Config& config, const std::string& name,
                                          const std::vector<Link>& links) {
    const Link* link = find_link(links, name);
    if (link == nullptr) return failure("there is no network interface '" + name + "'");
    if (!link->is_ethernet) return failure(name + " is not an Ethernet interface");
    if (!config.has_tunnels()) return {};
    return check_xdp(xdp_pin(options_.bpffs, name), name, link->ifindex);
}

// The order is argued in the header.
Result<void> Companion::change(const Config& config, const std::vector<Link>& links) {
    auto loaded = Engine::load(config, options_.counters_pin());
    if (!loaded) return failure(std::move(loaded.error()));
    auto engine = std::make_unique<Engine>(std::move(*loaded));
    std::swap(engine, engine_);  // the one before is under the hooks until they are swapped
    record_.config_file = options_.config;
    std::vector<Address> kept;
    for (const Vip& vip : config.vips)
        if (vip.hold) kept.push_back(vip.address);
    auto addresses = netlink_.addresses();
    if (!addresses) return failure(std::move(addresses.error()));
    engine_->set_hosts(*addresses);
    engine_->set_mtus(links, config.interfaces);

    Result<void> done = drop_addresses(kept);
    if (done) done = put_sysctls(config);
    if (done) done = put_hooks(config, links);
    if (done) done = put_addresses(config);
    if (done) done = drop_surplus_hooks(config);
    if (done) done = drop_surplus_sysctls(config);
    if (done) done = put_sysctl_file(config);
    if (done) done = follow_host();
    if (!done) std::swap(engine, engine_);
    return done;
}

void Companion::go_back(const Error& why, bool was_active) {
    spdlog::error("{}; going back", why.text());
    Result<void> back;
    if (config_) {
        auto links = netlink_.links();
        back = links ? change(*config_, *links) : failure(std::move(links.error()));
    } else if (!was_active) {
        back = undo();
    } else {
        spdlog::warn("what an earlier process put in place stays");
    }
    is_torn_ = !back;
    if (!back) spdlog::error("going back failed, too: {}", back.error().text());
}

Result<void> Companion::refresh() {
    Result<void> first = follow_host();
    if (config_) keep_first(first, put_back(*config_));
    return first;
}

Result<void> Companion::follow_host() {
    if (!engine_) return {};
    auto addresses = netlink_.addresses();
    if (!addresses) return failure(std::move(addresses.error()));
    auto links = netlink_.links();
    if (!links) return failure(std::move(links.error()));
    if (const std::size_t no_room = engine_->set_hosts(*addresses); no_room != 0)
        spdlog::warn(
            "this host has more addresses than there is room for: tunnels to {} of them "
            "are not decapsulated",
            no_room);
    std::vector<std::string> names;
    for (const HookedInterface& interface : record_.interfaces)
        names.push_back(interface.name);
    engine_->set_mtus(*links, names);
    if (!config_) return {};
    // Each by itself: one that cannot be served takes no other along, and is tried at next change.
    Result<void> first;
    for (const Link& link : *links)
        keep_first(first, follow_interface(*config_, link));
    return first;
}

Result<void> Companion::follow_interface(const Config& config, const Link& link) {
    const HookedInterface* hooked = record_.find(link.name);
    if (hooked == nullptr) return {};
    if (hooked->ifindex != link.ifindex)
        spdlog::warn("{} was made anew", link.name);
    else if (!unserved_.contains(link.name))
        return {};
    unserved_.insert(link.name);
    if (auto put = put_sysctls_of(config, link.name); !put) return put;
    if (auto put = put_hook(config, link); !put) return put;
    unserved_.erase(link.name);
    return {};
}

void Companion::tell(std::uint64_t applied, std::uint64_t refused) const {
    if (auto written = write_holder(lock_.get(), {::getpid(), applied, refused, put_back_count_});
        !written)
        spdlog::warn("{}: {}", options_.lock_file(), written.error().text());
}

// ---- undo ----

Result<void> Companion::undo() {
    Result<void> first;
    keep_first(first, drop_addresses({}));
    for (HookedInterface& interface : record_.interfaces)
        keep_first(first, drop_hooks(interface, true, true));
    if (first) record_.interfaces.clear();
    std::vector<std::string> paths;
    for (const auto& [path, change] : record_.sysctls)
        paths.push_back(path);
    for (const std::string& path : paths)
        keep_first(first, restore_sysctl(path));
    keep_first(first, restore_sysctl_file());
    if (!first) {
        keep_first(first, save());
        return first;
    }
    keep_first(first, remove_pins());
    if (first) first = remove_file(options_.applied_file());
    if (first) first = remove_record(options_.record_file());
    engine_.reset();
    config_.reset();
    return first;
}

// Nothing but our own: the directory may be one that others pin in, too.
Result<void> Companion::remove_pins() {
    auto names = dataplane::list_directory(options_.bpffs);
    if (!names) return failure(std::move(names.error()));
    for (const std::string& name : *names)
        if (is_own_pin(name))
            if (auto gone = dataplane::unpin(options_.bpffs + "/" + name); !gone) return gone;
    // Stays where it is a mount, or holds what is not ours.
    ::rmdir(options_.bpffs.c_str());
    return {};
}

// ---- hooks ----

Result<void> Companion::put_hooks(const Config& config, const std::vector<Link>& links) {
    for (const std::string& name : config.interfaces)
        if (const Link* link = find_link(links, name))
            if (auto put = put_hook(config, *link); !put) return put;
    unserved_.clear();
    return {};
}

Result<void> Companion::put_hook(const Config& config, const Link& link) {
    HookedInterface* known = record_.find(link.name);
    if (known == nullptr) known = &record_.interfaces.emplace_back();
    // What was on an interface that was made anew went with the old one.
    if (known->ifindex != link.ifindex)
        *known = HookedInterface{link.name, link.ifindex, false, false, false, {}};
    HookedInterface& hooked = *known;
    if (config.needs_restore()) {
        if (!hooked.clsact) {
            auto there = netlink_.has_clsact(link.ifindex);
            if (!there) return failure(std::move(there.error()));
            hooked.clsact = !*there;
        }
        hooked.filter = true;
        if (auto saved = save(); !saved) return saved;
        if (auto made = make_clsact(link.name, link.ifindex); !made)
            return failure(std::move(made.error()));
        if (auto put = put_filter(link.name, link.ifindex, engine_->restore_program()); !put)
            return put;
    }
    if (config.has_tunnels()) {
        hooked.xdp = true;
        if (auto saved = save(); !saved) return saved;
        auto put = put_xdp(xdp_pin(options_.bpffs, link.name), link.name, link.ifindex,
                           engine_->unwrap_program());
        if (!put) return failure(std::move(put.error()));
        // A swap says nothing of why the mode is what it is.
        if (!put->warning.empty()) spdlog::warn("{}: {}", link.name, put->warning);
        if (!put->generic || !put->warning.empty()) hooked.warning = put->warning;
    }
    return save();
}

Result<void> Companion::drop_hooks(HookedInterface& interface, bool xdp, bool filter) {
    if (xdp && interface.xdp) {
        if (auto gone = remove_xdp(xdp_pin(options_.bpffs, interface.name)); !gone) return gone;
        interface.xdp = false;
        interface.warning.clear();
    }
    // An interface that is gone took its filters along; its index may be another's now. One that
    // carries our filter is still the same, whatever its name.
    const auto now = dataplane::index_of_interface(interface.name);
    const bool is_there =
        (now && *now == interface.ifindex) || filter_program(interface.ifindex) != 0;
    if (filter && interface.filter) {
        if (is_there)
            if (auto gone = remove_filter(interface.ifindex); !gone) return gone;
        interface.filter = false;
    }
    if (filter && interface.clsact) {
        if (is_there) {
            auto others = netlink_.has_filters(interface.ifindex);
            if (!others) return failure(std::move(others.error()));
            if (*others)
                spdlog::warn("{}: the clsact qdisc stays, it has filters of somebody else",
                             interface.name);
            else if (auto gone = remove_clsact(interface.ifindex); !gone)
                return gone;
        }
        interface.clsact = false;
    }
    return {};
}

Result<void> Companion::drop_surplus_hooks(const Config& config) {
    for (HookedInterface& interface : record_.interfaces) {
        const bool used = contains(config.interfaces, interface.name);
        if (auto gone = drop_hooks(interface, !used || !config.has_tunnels(),
                                   !used || !config.needs_restore());
            !gone)
            return gone;
    }
    std::erase_if(record_.interfaces, [&](const HookedInterface& interface) {
        return !interface.xdp && !interface.filter && !interface.clsact;
    });
    return save();
}

}  // namespace bascule::backend
