// SPDX-License-Identifier: Apache-2.0
#include "dataplane/earlier_layout.h"

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/link.h"

namespace bascule::dataplane {

namespace {

Result<std::vector<std::string>> other_layouts(const Pins& pins) {
    auto versions = list_versions(pins.root);
    if (versions) std::erase(*versions, pins.version);
    return versions;
}

// 0: there is no such pin, or the interface is gone.
Result<std::uint32_t> interface_under(const std::string& path) {
    auto link = open_pin(path);
    if (!link) return failure(std::move(link.error()));
    if (!*link) return 0U;
    auto ifindex = interface_of_link((*link)->get());
    if (!ifindex) return failure(std::move(ifindex.error()).within(path));
    return ifindex;
}

Result<void> inherit(const std::string& from, const std::string& to) {
    const auto on = interface_under(from);
    const auto on_place = interface_under(to);
    if (!on) return failure(on.error());
    if (!on_place) return failure(on_place.error());
    if (*on == 0) return unpin(from);
    return *on_place == 0 ? rename_pin(from, to) : take_off(from);
}

Result<void> inherit_all(const std::string& from, const std::string& to) {
    auto names = list_directory(from);
    if (!names) return failure(std::move(names.error()));
    for (const std::string& name : *names)
        if (auto done = inherit(from + "/" + name, to + "/" + name); !done) return done;
    return {};
}

}  // namespace

Result<bool> inherit_links(const Pins& pins) {
    auto versions = other_layouts(pins);
    if (!versions) return failure(std::move(versions.error()));
    for (const std::string& version : *versions) {
        if (auto done = inherit_all(version + "/links", pins.links); !done)
            return failure(std::move(done.error()));
        if (auto done = inherit_all(version + "/probe", pins.probe); !done)
            return failure(std::move(done.error()));
    }
    return !versions->empty();
}

Result<void> drop_other_layouts(const Pins& pins) {
    auto versions = other_layouts(pins);
    if (!versions) return failure(std::move(versions.error()));
    for (const std::string& version : *versions)
        if (auto gone = remove_version(version); !gone) return gone;
    return {};
}

}  // namespace bascule::dataplane
