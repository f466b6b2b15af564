// SPDX-License-Identifier: Apache-2.0
// The ARP settings: without them a server answers for the VIP on its lo, and takes the balancer's
// clients for itself.
//
// The kernel takes the larger of "all" and the interface's own value. Both are set: "all" for
// interfaces that come later, the interface's own because others set "all" back.
#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "backend/companion.h"
#include "backend/files.h"

namespace bascule::backend {
namespace {

// Values that keep a server silent about what stands on lo only: by interface, by interface and
// subnet, never. 3 goes by scope, which an address that was there before need not have.
constexpr std::array<std::string_view, 3> silent = {"1", "2", "8"};

bool holds_v4(const Config& config) {
    return std::any_of(config.vips.begin(), config.vips.end(),
                       [](const Vip& vip) { return vip.hold && vip.address.is_v4(); });
}

// First line of the settings' file, by which it is known.
constexpr std::string_view file_mark =
    "# Written by bascule-backend, which removes it when it is stopped.\n";

// What a setting was before, in the line above it: a boot takes the record away, not this file.
constexpr std::string_view before_mark = "# before: ";
constexpr std::size_t most_changes = 1'000;

bool ends_with(const std::string& text, std::string_view end) {
    return text.size() >= end.size() &&
           text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// "PATH = VALUE" of a setting that this program makes, else nothing.
std::optional<std::pair<std::string, std::string>> split_setting(const std::string& text) {
    const auto equals = text.find(" = ");
    if (equals == std::string::npos) return std::nullopt;
    std::string path = text.substr(0, equals), value = text.substr(equals + 3);
    const bool is_ours = path.compare(0, 14, "net/ipv4/conf/") == 0 &&
                         path.find("..") == std::string::npos &&
                         (ends_with(path, "/arp_ignore") || ends_with(path, "/arp_announce"));
    const bool is_number = value.size() == 1 && value[0] >= '0' && value[0] <= '9';
    if (!is_ours || !is_number) return std::nullopt;
    return std::pair(std::move(path), std::move(value));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> wanted_sysctls(const Config& config) {
    std::vector<std::pair<std::string, std::string>> wanted;
    if (!holds_v4(config)) return wanted;
    std::vector<std::string> names = config.interfaces;
    names.insert(names.begin(), "all");
    for (const std::string& name : names) {
        wanted.emplace_back("net/ipv4/conf/" + name + "/arp_ignore", "1");
        wanted.emplace_back("net/ipv4/conf/" + name + "/arp_announce", "2");
    }
    return wanted;
}

bool is_enough(const std::string& path, const std::string& value) {
    if (ends_with(path, "arp_announce")) return value == "2";
    return std::find(silent.begin(), silent.end(), value) != silent.end();
}

std::string sysctl_file_text(const Config& config,
                             const std::map<std::string, SysctlChange>& changes) {
    std::string text =
        std::string(file_mark) +
        "# This server has virtual addresses on lo and must not answer ARP for them.\n";
    for (const auto& [path, value] : wanted_sysctls(config)) {
        if (const auto change = changes.find(path); change != changes.end())
            text.append(before_mark).append(path).append(" = " + change->second.before + "\n");
        // A name with slashes may have dots in it. An interface may not be there yet.
        text += "-" + path + " = " + value + "\n";
    }
    return text;
}

std::map<std::string, SysctlChange> changes_of_file(const std::string& text) {
    std::map<std::string, SysctlChange> changes;
    std::istringstream lines(text);
    std::string before;  // "PATH = VALUE", of the line above
    for (std::string line; std::getline(lines, line) && changes.size() < most_changes;) {
        if (line.compare(0, before_mark.size(), before_mark) == 0) {
            before = line.substr(before_mark.size());
            continue;
        }
        const auto was = split_setting(std::exchange(before, {}));
        const auto is = split_setting(line.compare(0, 1, "-") == 0 ? line.substr(1) : "");
        if (was && is && was->first == is->first)
            changes[is->first] = SysctlChange{was->second, is->second};
    }
    return changes;
}

bool is_own_sysctl_file(const std::string& text) {
    return text.compare(0, file_mark.size(), file_mark) == 0;
}

Result<void> Companion::put_sysctls(const Config& config) {
    for (const auto& [path, value] : wanted_sysctls(config))
        if (auto put = put_sysctl(path, value); !put) return put;
    return {};
}

Result<void> Companion::put_sysctls_of(const Config& config, const std::string& interface) {
    for (const auto& [path, value] : wanted_sysctls(config))
        if (path.find("/" + interface + "/") != std::string::npos)
            if (auto put = put_sysctl(path, value); !put) return put;
    return {};
}

Result<void> Companion::put_sysctl(const std::string& path, const std::string& value) {
    auto now = read_sysctl(path);
    if (!now) return failure(std::move(now.error()));
    if (is_enough(path, *now)) return {};
    // What was set here before, this is not it any more: it is somebody else's, and his comes back.
    record_.sysctls.insert_or_assign(path, SysctlChange{*now, value});
    if (auto saved = save(); !saved) return saved;
    return write_sysctl(path, value);
}

// What somebody else has set since is left to him.
Result<void> Companion::restore_sysctl(const std::string& path) {
    const auto found = record_.sysctls.find(path);
    if (found == record_.sysctls.end()) return {};
    const auto now = read_sysctl(path);
    // The settings of an interface go with it.
    if (now && *now == found->second.now)
        if (auto written = write_sysctl(path, found->second.before); !written) return written;
    record_.sysctls.erase(found);
    return {};
}

Result<void> Companion::drop_surplus_sysctls(const Config& config) {
    const auto wanted = wanted_sysctls(config);
    std::vector<std::string> surplus;
    for (const auto& known : record_.sysctls)
        if (std::none_of(wanted.begin(), wanted.end(),
                         [&](const auto& one) { return one.first == known.first; }))
            surplus.push_back(known.first);
    for (const std::string& path : surplus)
        if (auto restored = restore_sysctl(path); !restored) return restored;
    return surplus.empty() ? Result<void>() : save();
}

Result<void> Companion::put_sysctl_file(const Config& config) {
    if (!config.persist || wanted_sysctls(config).empty()) return restore_sysctl_file();
    const std::string path = options_.sysctl_file();
    const std::string text = sysctl_file_text(config, record_.sysctls);
    auto there = read_file(path);
    if (!there) return failure(std::move(there.error()));
    if (record_.sysctl_file && *there == text) return {};
    if (!record_.sysctl_file) {
        record_.sysctl_file = true;
        record_.sysctl_file_before = std::move(*there);
        if (auto saved = save(); !saved) return saved;
    }
    return write_file(path, text, 0644);
}

Result<void> Companion::restore_sysctl_file() {
    if (!record_.sysctl_file) return {};
    const std::string path = options_.sysctl_file();
    auto restored = record_.sysctl_file_before ? write_file(path, *record_.sysctl_file_before, 0644)
                                               : remove_file(path);
    if (!restored) return restored;
    record_.sysctl_file = false;
    record_.sysctl_file_before.reset();
    return save();
}

}  // namespace bascule::backend
