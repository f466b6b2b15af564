// SPDX-License-Identifier: Apache-2.0
#include "backend/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backend/files.h"
#include "backend/hooks.h"
#include "backend/words.h"
#include "dataplane/interface.h"

namespace bascule::backend {
namespace {

using Json = nlohmann::ordered_json;

constexpr int schema_version = 1;

std::string name_of(const std::vector<Link>& links, std::uint32_t ifindex) {
    const auto found = std::find_if(links.begin(), links.end(),
                                    [&](const Link& link) { return link.ifindex == ifindex; });
    return found == links.end() ? std::to_string(ifindex) : found->name;
}

// Where an address is, lo first; each interface once.
std::vector<std::string> places_of(const Address& address,
                                   const std::vector<HostAddress>& addresses,
                                   const std::vector<Link>& links) {
    std::vector<std::string> places;
    for (const HostAddress& one : addresses) {
        if (one.address != address) continue;
        std::string name = name_of(links, one.ifindex);
        if (std::find(places.begin(), places.end(), name) == places.end())
            places.insert(name == "lo" ? places.begin() : places.end(), std::move(name));
    }
    return places;
}

void look_at_vips(const Config& config, const std::vector<HostAddress>& addresses,
                  const std::vector<Link>& links, const Record& record, Status& status) {
    for (const Vip& vip : config.vips) {
        VipStatus shown{vip, places_of(vip.address, addresses, links), false};
        shown.ours = std::find(record.addresses.begin(), record.addresses.end(), vip.address) !=
                     record.addresses.end();
        if (shown.interfaces.empty() && vip.hold)
            status.problems.push_back("the VIP " + vip.address.to_string() +
                                      " is not on this host");
        for (const std::string& place : shown.interfaces)
            if (place != "lo" && vip.hold)
                status.problems.push_back("the VIP " + vip.address.to_string() + " is on " + place +
                                          ", where this host answers ARP and ND for it");
        status.vips.push_back(std::move(shown));
    }
    for (const Address& held : record.addresses)
        if (std::none_of(config.vips.begin(), config.vips.end(),
                         [&](const Vip& vip) { return vip.hold && vip.address == held; }))
            status.problems.push_back("the VIP " + held.to_string() +
                                      " is held, but the configuration does not say so: reload");
}

void look_at_interface(const Options& options, const Config& config, const std::string& name,
                       const Record& record, Status& status) {
    InterfaceStatus shown;
    shown.name = name;
    shown.wants_xdp = config.has_tunnels();
    shown.wants_filter = config.needs_restore();
    for (const HookedInterface& hooked : record.interfaces)
        if (hooked.name == name) shown.warning = hooked.warning;
    if (const auto ifindex = dataplane::index_of_interface(name)) {
        shown.has_xdp = xdp_program(xdp_pin(options.bpffs, name), *ifindex) != 0;
        shown.has_filter = filter_program(*ifindex) != 0;
        const auto occupant = dataplane::xdp_occupant(name, *ifindex);
        shown.generic = shown.has_xdp && occupant && occupant->generic;
    } else {
        status.problems.push_back("there is no network interface '" + name + "'");
    }
    if (shown.wants_xdp && !shown.has_xdp)
        status.problems.push_back(name + ": the decapsulating program is not there");
    if (shown.wants_filter && !shown.has_filter)
        status.problems.push_back(name + ": the egress program is not there");
    if ((!shown.wants_xdp && shown.has_xdp) || (!shown.wants_filter && shown.has_filter))
        status.problems.push_back(
            name + ": a program is there that the configuration does not need: reload");
    status.interfaces.push_back(std::move(shown));
}

void look_at_sysctls(const Config& config, Status& status) {
    for (const auto& [path, wanted] : wanted_sysctls(config)) {
        const auto now = read_sysctl(path);
        status.sysctls.emplace_back(path, now ? *now : "");
        if (!now)
            status.problems.push_back(now.error().text());
        else if (!is_enough(path, *now))
            status.problems.push_back(path + " is " + *now + ", not " + wanted);
    }
}

// ---- text ----

std::string state_of(bool wanted, bool there) {
    if (!wanted) return there ? "surplus" : "not needed";
    return there ? "attached" : "MISSING";
}

void add_vips(const Status& status, std::string& text) {
    text += fmt::format("\n{:<40} {:<16} {}\n", "VIP", "ON", "FORWARD");
    for (const VipStatus& vip : status.vips) {
        std::string where;
        for (const std::string& place : vip.interfaces)
            where += (where.empty() ? "" : ", ") + place;
        if (where.empty())
            where = "-";
        else if (!vip.ours)
            where += " (not ours)";
        text += fmt::format("{:<40} {:<16} {}\n", vip.vip.address.to_string(), where,
                            vip.vip.modes.to_string());
        for (const PortPair& port : vip.vip.ports)
            text += fmt::format("  {}\n", port.to_string());
    }
}

void add_interfaces(const Status& status, std::string& text) {
    text += fmt::format("\n{:<16} {:<22} {}\n", "INTERFACE", "DECAPSULATION", "EGRESS");
    for (const InterfaceStatus& interface : status.interfaces) {
        std::string xdp = state_of(interface.wants_xdp, interface.has_xdp);
        if (interface.has_xdp) xdp += interface.generic ? " (generic)" : " (native)";
        text += fmt::format("{:<16} {:<22} {}\n", interface.name, xdp,
                            state_of(interface.wants_filter, interface.has_filter));
        if (!interface.warning.empty()) text += fmt::format("  {}\n", interface.warning);
    }
}

void add_counters(const Status& status, std::string& text) {
    const auto& infos = counter_infos();
    std::string lines;
    for (std::size_t i = 0; i < infos.size(); ++i)
        if (status.counters[i] != 0)
            lines += fmt::format("{:>14}  {:<18} {}{}\n", status.counters[i], infos[i].name,
                                 infos[i].dropped ? "dropped: " : "", infos[i].text);
    if (!lines.empty()) text += "\n       PACKETS\n" + lines;
}

}  // namespace

std::string compare_file(const std::string& file, const std::optional<std::string>& text,
                         const Config& applied) {
    if (!text) return file + " is not there any more; what is applied is shown";
    const ParsedConfig parsed = parse_config(file, *text);
    if (!parsed.config)
        return file + " has errors and would be refused, what is applied is shown: " +
               parsed.errors.front().to_string();
    if (*parsed.config == applied) return {};
    return file + " was changed and is not applied yet, what is applied is shown";
}

Result<std::optional<Applied>> load_applied(const Options& options) {
    auto kept = read_file(options.applied_file());
    if (!kept) return failure(std::move(kept.error()));
    if (!*kept) return std::optional<Applied>();
    ParsedConfig parsed = parse_config(options.applied_file(), **kept);
    if (!parsed.config) return std::optional<Applied>();
    auto text = read_file(options.config);
    std::string note = text ? compare_file(options.config, *text, *parsed.config)
                            : text.error().text() + "; what is applied is shown";
    return std::optional(Applied{std::move(*parsed.config), std::move(note)});
}

Result<Status> look(const Options& options, const Applied& applied) {
    const Config& config = applied.config;
    auto record = load_record(options.record_file());
    if (!record) return failure(std::move(record.error()));
    auto netlink = Netlink::open();
    if (!netlink) return failure(std::move(netlink.error()));
    auto addresses = netlink->addresses();
    if (!addresses) return failure(std::move(addresses.error()));
    auto links = netlink->links();
    if (!links) return failure(std::move(links.error()));
    auto counters = read_counters(options.counters_pin());
    if (!counters) return failure(std::move(counters.error()));

    Status status;
    const Record known = record->value_or(Record{});
    status.process = lock_holder(options.lock_file());
    status.active = !known.empty();
    status.config_file = options.config;
    status.counters = std::move(*counters);
    if (!status.process)
        status.problems.emplace_back(status.active
                                         ? "no process: what is in place goes on, but does "
                                           "not follow changes of this host"
                                         : "not running");
    if (status.process && status.process->applied == 0)
        status.problems.emplace_back("still starting");
    if (!applied.note.empty()) status.notes.push_back(applied.note);
    if (status.process && status.process->put_back != 0)
        status.notes.push_back("somebody else takes VIPs off this host: put back " +
                               counted(status.process->put_back, "time"));
    look_at_vips(config, *addresses, *links, known, status);
    for (const std::string& name : config.interfaces)
        look_at_interface(options, config, name, known, status);
    look_at_sysctls(config, status);
    return status;
}

std::string status_json(const Status& status) {
    Json json;
    json["schema"] = schema_version;
    json["process"] = status.process ? Json(status.process->process) : Json();
    json["applied"] = status.process ? status.process->applied : 0;
    json["refused"] = status.process ? status.process->refused : 0;
    json["put_back"] = status.process ? status.process->put_back : 0;
    json["active"] = status.active;
    json["config_file"] = status.config_file;
    json["vips"] = Json::array();
    for (const VipStatus& vip : status.vips) {
        Json shown;
        shown["address"] = vip.vip.address.to_string();
        shown["interface"] = vip.interfaces.empty() ? Json() : Json(vip.interfaces.front());
        shown["interfaces"] = vip.interfaces;
        shown["ours"] = vip.ours;
        shown["hold"] = vip.vip.hold;
        shown["forward"] = Json::array();
        const Modes& modes = vip.vip.modes;
        for (const auto& [set, name] :
             {std::pair(modes.l2, "l2"), std::pair(modes.ipip, "ipip"), std::pair(modes.gue, "gue"),
              std::pair(modes.local, "local")})
            if (set) shown["forward"].emplace_back(name);
        shown["ports"] = Json::array();
        for (const PortPair& port : vip.vip.ports)
            shown["ports"].push_back(
                Json{{"protocol", port.protocol == Protocol::udp ? "udp" : "tcp"},
                     {"service", port.service},
                     {"server", port.server}});
        json["vips"].push_back(std::move(shown));
    }
    json["interfaces"] = Json::array();
    for (const InterfaceStatus& interface : status.interfaces)
        json["interfaces"].push_back(
            {{"name", interface.name},
             {"decapsulation", interface.has_xdp},
             {"decapsulation_wanted", interface.wants_xdp},
             {"mode", interface.has_xdp ? Json(interface.generic ? "generic" : "native") : Json()},
             {"egress", interface.has_filter},
             {"egress_wanted", interface.wants_filter},
             {"warning", interface.warning}});
    json["sysctls"] = Json::object();
    for (const auto& [path, value] : status.sysctls)
        json["sysctls"][path] = value;
    json["counters"] = Json::object();
    for (std::size_t i = 0; i < counter_infos().size(); ++i)
        json["counters"][counter_infos()[i].name] = status.counters[i];
    json["problems"] = status.problems;
    json["notes"] = status.notes;
    return json.dump(2) + "\n";
}

std::string status_text(const Status& status) {
    std::string text =
        status.process
            ? fmt::format("running, process {}, {}\n", status.process->process, status.config_file)
            : fmt::format("{}, {}\n", status.active ? "in place" : "not running",
                          status.config_file);
    for (const std::string& problem : status.problems)
        text += "! " + problem + "\n";
    for (const std::string& note : status.notes)
        text += "note: " + note + "\n";
    add_vips(status, text);
    add_interfaces(status, text);
    add_counters(status, text);
    return text;
}

}  // namespace bascule::backend
