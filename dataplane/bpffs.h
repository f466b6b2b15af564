// SPDX-License-Identifier: Apache-2.0
// Directories and pins on a bpffs: what of the engine outlives the process.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"

namespace bascule::dataplane {

// Where things are pinned below one bpffs directory.
struct Pins {
    std::string root;     // <bpffs>
    std::string version;  // <bpffs>/v<layout>
    std::string maps;     // <bpffs>/v<layout>/maps: there and whole, or not there
    std::string next;     // a set of maps that is being made, or the one it replaced
    std::string links;
    std::string probe;  // the link of the probing program

    explicit Pins(const std::string& bpffs);
    std::string link(const std::string& interface) const;
};

// A bpffs refuses dots in names; no interface has a colon, but a VLAN's has a dot.
std::string pin_name_of(const std::string& interface);
std::string interface_of_pin(const std::string& name);

// Makes the directory with its parents, all of which below the mount are made 0700. The error
// says so when it is not on a bpffs.
Result<void> make_directory(const std::string& path);
// Names in a directory; none when it is not there.
Result<std::vector<std::string>> list_directory(const std::string& path);
// Paths of what daemons of any layout left below `bpffs`; none when it is not there. The error says
// so when it is not on a bpffs.
Result<std::vector<std::string>> list_versions(const std::string& bpffs);
// The pinned object; none when there is no such pin.
Result<std::optional<Descriptor>> open_pin(const std::string& path);
Result<void> pin(int fd, const std::string& path);
// No error when there is no such pin.
Result<void> unpin(const std::string& path);
// No error when both are the same.
Result<void> rename_pin(const std::string& from, const std::string& to);
// Takes away a directory of pins with what it holds. No error when there is none.
Result<void> remove_directory(const std::string& path);
// Takes away what a daemon of one layout has pinned; `version`: of list_versions().
Result<void> remove_version(const std::string& version);
// `from` becomes `to` in one step; what was `to` becomes `from`.
Result<void> put_in_place(const std::string& from, const std::string& to);

}  // namespace bascule::dataplane
