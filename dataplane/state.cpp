// SPDX-License-Identifier: Apache-2.0
#include "dataplane/state.h"

#include <bpf/bpf.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "dataplane/libbpf_log.h"

namespace bascule::dataplane {

namespace {

// Adopted together or not at all.
constexpr std::array<std::string_view, 7> tables = {
    "vips", "vip_states", "service_words", "services", "backends", "rings", "settings"};

Result<MapFds> open_maps(const std::string& directory) {
    MapFds maps;
    auto names = list_directory(directory);
    if (!names) return failure(std::move(names.error()));
    for (const std::string& name : *names) {
        auto fd = open_pin(directory + "/" + name);
        if (!fd) return failure(std::move(fd.error()));
        if (*fd) maps.emplace(name, std::move(**fd));
    }
    return maps;
}

std::uint32_t id_in(const MapFds& maps, const std::string& name) {
    const auto map = maps.find(name);
    return map == maps.end() ? 0 : map_id(map->second.get());
}

// The settings of a set of maps, if they are there and tell the truth about its session tables.
std::optional<bsc_settings> settings_of(const MapFds& maps) {
    const auto settings = maps.find("settings");
    const auto sessions4 = maps.find("sessions4");
    const auto sessions6 = maps.find("sessions6");
    if (settings == maps.end() || sessions4 == maps.end() || sessions6 == maps.end()) return {};
    const std::uint32_t zero = 0;
    bsc_settings value{};
    if (bpf_map_lookup_elem(settings->second.get(), &zero, &value) != 0) return {};
    const bool true_of_tables =
        value.pages4 != 0 && value.pages6 != 0 &&
        map_entries(sessions4->second.get()) == value.pages4 * BSC_SETS_PER_PAGE_V4 &&
        map_entries(sessions6->second.get()) == value.pages6 * BSC_SETS_PER_PAGE_V6;
    return true_of_tables ? std::optional(value) : std::nullopt;
}

Result<Predecessor> predecessor_in(MapFds& maps, const bsc_settings& settings) {
    Predecessor predecessor;
    predecessor.sessions4 = std::move(maps.at("sessions4"));
    predecessor.sessions6 = std::move(maps.at("sessions6"));
    predecessor.settings = settings;
    maps.erase("sessions4");
    maps.erase("sessions6");
    maps.erase("settings");
    return predecessor;
}

// A process died between putting a new set in place and taking over the last sessions of the old
// one: the old set stands as maps_next, is older, and has the same backends.
Result<std::optional<Predecessor>> unfinished(const Pins& pins, const MapFds& current,
                                              const bsc_settings& settings) {
    auto left = open_maps(pins.next);
    if (!left) return failure(std::move(left.error()));
    const auto old = settings_of(*left);
    const bool older = old && old->serial < settings.serial;
    const bool same_tables = id_in(*left, "backends") == id_in(current, "backends");
    const bool other_sessions = id_in(*left, "sessions4") != id_in(current, "sessions4");
    if (!older || !same_tables || !other_sessions) {
        if (auto gone = remove_directory(pins.next); !gone) return failure(std::move(gone.error()));
        return std::nullopt;
    }
    auto predecessor = predecessor_in(*left, *old);
    if (!predecessor) return failure(std::move(predecessor.error()));
    return std::optional(std::move(*predecessor));
}

Result<std::array<std::uint64_t, 2>> random_key() {
    std::array<std::uint64_t, 2> key;
    if (::getrandom(key.data(), sizeof(key), 0) != sizeof(key))
        return failure(Error::system("draw a key for the session tables", errno));
    return key;
}

// Leaves in `found` what can be used as it is.
void drop_misfits(MapFds& found, const MapSpecs& specs) {
    std::erase_if(found, [&](const auto& map) { return !specs.fits(map.first, map.second.get()); });
}

bool has_all_tables(const MapFds& maps) {
    return std::all_of(tables.begin(), tables.end(),
                       [&](std::string_view name) { return maps.contains(std::string(name)); });
}

Result<void> write_settings(const State& state) {
    const std::uint32_t zero = 0;
    const int fd = state.maps.at("settings").get();
    if (bpf_map_update_elem(fd, &zero, &state.settings, BPF_ANY) != 0)
        return failure(bpf_error("write the settings", errno));
    return {};
}

Result<void> pin_next(const Pins& pins, const State& state) {
    if (auto gone = remove_directory(pins.next); !gone) return gone;
    if (auto made = make_directory(pins.next); !made) return made;
    for (const auto& [name, fd] : state.maps)
        if (auto pinned = pin(fd.get(), pins.next + "/" + name); !pinned) return pinned;
    return {};
}

// Settings for new session tables beside tables that are kept, or for a set that is all new.
Result<void> renew_settings(State& state, const Options& options, std::uint64_t serial) {
    auto key = random_key();
    if (!key) return failure(std::move(key.error()));
    state.settings = {};
    std::memcpy(state.settings.table_key, key->data(), sizeof(state.settings.table_key));
    state.settings.pages4 = pages_for(options.max_sessions, BSC_SETS_PER_PAGE_V4);
    state.settings.pages6 = pages_for(options.max_sessions_v6, BSC_SETS_PER_PAGE_V6);
    state.settings.serial = serial;
    state.settings.placement = BSC_PLACEMENT;
    return {};
}

Constants constants_of(const bsc_settings& settings, const Options& options,
                       std::uint32_t clock_multiplier) {
    return {options.ring_key,
            {settings.table_key[0], settings.table_key[1]},
            settings.pages4,
            settings.pages6,
            clock_multiplier};
}

// Decides what of the pinned maps stays, and with which settings.
Result<void> choose_maps(State& state, const Pins& pins, const Options& options) {
    auto found = open_maps(pins.maps);
    if (!found) return failure(std::move(found.error()));
    const auto settings = settings_of(*found);
    const std::uint64_t next_serial = settings ? settings->serial + 1 : 1;
    if (settings) {
        auto left = unfinished(pins, *found, *settings);
        if (!left) return failure(std::move(left.error()));
        state.predecessor = std::move(*left);
        state.settings = *settings;
    }
    const bool resize =
        settings && (settings->placement != BSC_PLACEMENT ||
                     settings->pages4 != pages_for(options.max_sessions, BSC_SETS_PER_PAGE_V4) ||
                     settings->pages6 != pages_for(options.max_sessions_v6, BSC_SETS_PER_PAGE_V6));
    // Against its own size: what is checked here is that the set belongs together.
    auto specs = MapSpecs::open(
        constants_of(settings.value_or(bsc_settings{{}, 1, 1, 0, 0, {}}), options, 0));
    if (!specs) return failure(std::move(specs.error()));
    drop_misfits(*found, *specs);
    state.adopted = settings.has_value() && has_all_tables(*found) &&
                    found->contains("sessions4") && found->contains("sessions6");
    if (!state.adopted) {
        for (const std::string_view name : tables)
            found->erase(std::string(name));
        found->erase("sessions4");
        found->erase("sessions6");
        state.predecessor.reset();
    }
    // (A size that changed once more before the last change was finished waits for the next start.)
    if (state.adopted && resize && !state.predecessor) {
        auto old = predecessor_in(*found, *settings);
        if (!old) return failure(std::move(old.error()));
        state.predecessor = std::move(*old);
    }
    state.maps = std::move(*found);
    if (!state.maps.contains("settings")) return renew_settings(state, options, next_serial);
    return {};
}

}  // namespace

std::uint32_t pages_for(std::uint32_t sessions, std::uint32_t sets_per_page) {
    const std::uint32_t sessions_per_page = sets_per_page * BSC_WAYS_PER_SET / 2;
    return std::max<std::uint32_t>(1, sessions / sessions_per_page);
}

Result<State> open_state(const Pins& pins, const Options& options, std::uint32_t clock_multiplier) {
    State state;
    if (auto chosen = choose_maps(state, pins, options); !chosen)
        return failure(std::move(chosen.error()));
    state.constants = constants_of(state.settings, options, clock_multiplier);
    auto program = Program::load(state.constants, 0, state.maps);
    if (!program) return failure(std::move(program.error()));
    auto maps = program->maps();
    if (!maps) return failure(std::move(maps.error()));
    const bool made_settings = !state.maps.contains("settings");
    state.pinned_next = maps->size() != state.maps.size();
    state.maps = std::move(*maps);
    state.program = std::move(*program);
    if (made_settings)
        if (auto written = write_settings(state); !written)
            return failure(std::move(written.error()));
    if (state.pinned_next)
        if (auto pinned = pin_next(pins, state); !pinned) return failure(std::move(pinned.error()));
    return state;
}

Result<void> commit(const Pins& pins) {
    return put_in_place(pins.next, pins.maps);
}

Result<void> finish(const Pins& pins) {
    return remove_directory(pins.next);
}

}  // namespace bascule::dataplane
