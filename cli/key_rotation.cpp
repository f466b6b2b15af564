// SPDX-License-Identifier: Apache-2.0
#include "cli/key_rotation.h"

#include <algorithm>
#include <cstddef>

namespace bascule::cli {

namespace {

using sync::ClusterKeys;
using Rotation = ClusterKeys::Rotation;

std::string shown(const ClusterKeys& keys, std::size_t index) {
    return sync::fingerprint(keys.keys.at(index));
}

RotatedKeys done_before(ClusterKeys keys, std::string said) {
    return {std::move(keys), false, std::move(said) + ": nothing was changed"};
}

Result<RotatedKeys> add(ClusterKeys keys, const sync::SecretKey& fresh) {
    if (keys.rotation == Rotation::added)
        return done_before(keys, "the new key " + shown(keys, keys.marked) + " is there already");
    if (keys.rotation == Rotation::switched)
        return failure("the last rotation is not at its end: the old key " +
                       shown(keys, keys.marked) +
                       " is still accepted; `--rotate drop` comes first");
    keys.rotation = Rotation::added;
    keys.marked = keys.keys.size();
    keys.keys.push_back(fresh);
    std::string said = "the new key " + shown(keys, keys.marked) + " is accepted, and " +
                       shown(keys, 0) + " is still spoken by";
    return RotatedKeys{std::move(keys), true, std::move(said)};
}

Result<RotatedKeys> switch_to(ClusterKeys keys) {
    if (keys.rotation == Rotation::switched)
        return done_before(keys, "the new key " + shown(keys, 0) + " is spoken by already");
    if (keys.rotation == Rotation::none)
        return failure("there is no new key yet: `--rotate add` comes first");
    std::swap(keys.keys.at(0), keys.keys.at(keys.marked));
    keys.rotation = Rotation::switched;
    std::string said = "the new key " + shown(keys, 0) + " is spoken by, and the old one " +
                       shown(keys, keys.marked) + " is still accepted";
    return RotatedKeys{std::move(keys), true, std::move(said)};
}

Result<RotatedKeys> drop(ClusterKeys keys) {
    if (keys.rotation == Rotation::none)
        return done_before(keys, "no old key is left, " + shown(keys, 0) + " is the only one");
    if (keys.rotation == Rotation::added)
        return failure("the new key " + shown(keys, keys.marked) +
                       " is not spoken by yet: `--rotate switch` comes first");
    std::string said = "the old key " + shown(keys, keys.marked) + " is no longer accepted, " +
                       shown(keys, 0) + " is the only one";
    keys.keys.erase(keys.keys.begin() + static_cast<std::ptrdiff_t>(keys.marked));
    keys.rotation = Rotation::none;
    keys.marked = 0;
    return RotatedKeys{std::move(keys), true, std::move(said)};
}

}  // namespace

const char* name_of(KeyStep step) {
    switch (step) {
        case KeyStep::add:
            return "add";
        case KeyStep::switch_to:
            return "switch";
        case KeyStep::drop:
            break;
    }
    return "drop";
}

Result<RotatedKeys> rotate_keys(sync::ClusterKeys keys, KeyStep step,
                                const sync::SecretKey& fresh) {
    // Two keys and a mark are what these steps make; all else was made by hand, and is ended so.
    const std::size_t expected = keys.rotation == Rotation::none ? 1 : 2;
    if (keys.keys.size() != expected)
        return failure("it has " + std::to_string(keys.keys.size()) +
                       " keys and no saying which is new: write 'new' or 'old' behind one of two, "
                       "or take out what is not used");
    switch (step) {
        case KeyStep::add:
            return add(std::move(keys), fresh);
        case KeyStep::switch_to:
            return switch_to(std::move(keys));
        case KeyStep::drop:
            break;
    }
    return drop(std::move(keys));
}

}  // namespace bascule::cli
