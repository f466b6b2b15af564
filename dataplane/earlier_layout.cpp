// SPDX-License-Identifier: Apache-2.0
#include "dataplane/earlier_layout.h"

#include <algorithm>
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

Result<void> take_off(const std::string& path) {
    auto link = open_pin(path);
    if (!link) return failure(std::move(link.error()));
    if (*link) detach_link((*link)->get());
    return unpin(path);
}

Result<void> inherit(const std::string& from, const std::string& to) {
    auto names = list_directory(from);
    auto taken = list_directory(to);
    if (!names) return failure(std::move(names.error()));
    if (!taken) return failure(std::move(taken.error()));
    for (const std::string& name : *names) {
        const bool is_taken = std::find(taken->begin(), taken->end(), name) != taken->end();
        const std::string path = from + "/" + name;
        if (auto done = is_taken ? take_off(path) : rename_pin(path, to + "/" + name); !done)
            return done;
    }
    return {};
}

}  // namespace

Result<void> inherit_links(const Pins& pins) {
    auto versions = other_layouts(pins);
    if (!versions) return failure(std::move(versions.error()));
    for (const std::string& version : *versions) {
        if (auto done = inherit(version + "/links", pins.links); !done) return done;
        if (auto done = inherit(version + "/probe", pins.probe); !done) return done;
    }
    return {};
}

Result<void> drop_other_layouts(const Pins& pins) {
    auto versions = other_layouts(pins);
    if (!versions) return failure(std::move(versions.error()));
    for (const std::string& version : *versions)
        for (const char* part : {"/links", "/probe", "/maps", "/maps_next", ""})
            if (auto gone = remove_directory(version + part); !gone) return gone;
    return {};
}

}  // namespace bascule::dataplane
