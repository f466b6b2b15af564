// SPDX-License-Identifier: Apache-2.0
#include "backend/config_draft.h"

#include <algorithm>
#include <charconv>

#include "backend/config_schema.h"

namespace bascule::backend {
namespace {

using model::Array;
using model::Diagnostics;
using model::KeySchema;
using model::KeyType;
using model::Member;
using model::Place;
using model::quoted;
using model::SectionReader;
using model::Table;
using model::TableSchema;
using model::Value;

const Value* find(const Table& table, std::string_view key) {
    for (const Member& member : table)
        if (member.key == key) return &member.value;
    return nullptr;
}

std::string shown(const Value& value) {
    if (const auto* text = value.as<std::string>()) return "the string " + quoted(*text);
    if (const auto* number = value.as<std::int64_t>())
        return "the integer " + std::to_string(*number);
    return std::string(value.kind());
}

void wrong(const Value& value, std::string_view key, std::string_view expected,
           Diagnostics& diagnostics) {
    diagnostics.add(value.place, std::string(key) + ": expected " + std::string(expected) +
                                     ", found " + shown(value));
}

// The elements of an array of strings; what is none is reported.
std::vector<const Value*> texts(const Value& value, std::string_view key, std::string_view example,
                                Diagnostics& diagnostics) {
    std::vector<const Value*> found;
    const auto* array = value.as<Array>();
    if (array == nullptr) {
        wrong(value, key, "an array such as " + std::string(example), diagnostics);
        return found;
    }
    for (const Value& element : *array)
        if (element.as<std::string>() != nullptr)
            found.push_back(&element);
        else
            wrong(element, key, "a string", diagnostics);
    return found;
}

// The tables of [[key]], also where it is none: that is reported.
std::vector<const Value*> tables(const Table& table, std::string_view key,
                                 Diagnostics& diagnostics) {
    std::vector<const Value*> found;
    const Value* value = find(table, key);
    if (value == nullptr) return found;
    const auto* array = value->as<Array>();
    if (array == nullptr) {
        wrong(*value, key, "an array of tables, [[" + std::string(key) + "]]", diagnostics);
        return found;
    }
    for (const Value& element : *array)
        if (element.as<Table>() != nullptr)
            found.push_back(&element);
        else
            wrong(element, key, "a table", diagnostics);
    return found;
}

// ---- values of its own kinds ----

std::optional<Prefix> parse_prefix(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = Address::parse(text.substr(0, slash));
    if (!address) return {};
    const unsigned most = address->is_v4() ? 32 : 128;
    unsigned length = most;
    if (slash != std::string_view::npos) {
        const std::string_view digits = text.substr(slash + 1);
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), length);
        if (error != std::errc() || end != digits.data() + digits.size() || length > most)
            return {};
    }
    return Prefix{*address, static_cast<std::uint8_t>(length)};
}

Address first_address(const Prefix& prefix) {
    Address::Bytes bytes = prefix.address.bytes();
    const unsigned bits = prefix.length + (prefix.address.is_v4() ? 96U : 0U);
    for (unsigned bit = bits; bit < 128; ++bit)
        bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] & ~(0x80U >> (bit % 8)));
    return Address(bytes);
}

Placed<Prefix> read_balancer(const Value& value, Diagnostics& diagnostics) {
    const auto prefix = parse_prefix(*value.as<std::string>());
    if (!prefix) {
        wrong(value, "balancers", "an IPv4 or IPv6 address or prefix", diagnostics);
    } else if (prefix->length == 0) {
        diagnostics.add(value.place,
                        "balancers: " + quoted(*value.as<std::string>()) +
                            " would let anybody send packets past this host's firewall");
    } else if (first_address(*prefix) != prefix->address) {
        diagnostics.add(value.place,
                        "balancers: " + quoted(*value.as<std::string>()) +
                            " has bits beyond its prefix length, did you mean '" +
                            Prefix{first_address(*prefix), prefix->length}.to_string() + "'?");
    } else {
        return {prefix, value.place, true};
    }
    return {{}, value.place, true};
}

Placed<MssClamp> read_mss_clamp(const Table& table, Place place, Diagnostics& diagnostics) {
    const Value* value = find(table, "mss_clamp");
    if (value == nullptr) return {MssClamp{}, place, false};
    const auto* text = value->as<std::string>();
    const auto* number = value->as<std::int64_t>();
    if (text != nullptr && *text == "auto") return {MssClamp{}, value->place, true};
    if (number != nullptr && (*number == 0 || (*number >= least_mss && *number <= most_mss)))
        return {MssClamp{false, static_cast<std::uint16_t>(*number)}, value->place, true};
    wrong(*value, "mss_clamp",
          "\"auto\", 0 (off) or an integer from " + std::to_string(least_mss) + " to " +
              std::to_string(most_mss),
          diagnostics);
    return {{}, value->place, true};
}

Placed<Modes> read_modes(const Table& table, Place place, Diagnostics& diagnostics) {
    const Value* value = find(table, "forward");
    if (value == nullptr) return {{}, place, false};
    Modes modes;
    const std::pair<std::string_view, bool*> words[] = {
        {"l2", &modes.l2}, {"ipip", &modes.ipip}, {"gue", &modes.gue}, {"local", &modes.local}};
    bool well = true;
    for (const Value* element : texts(*value, "forward", "[\"l2\"]", diagnostics)) {
        const auto word = std::find_if(std::begin(words), std::end(words), [&](const auto& known) {
            return known.first == *element->as<std::string>();
        });
        if (word == std::end(words)) {
            wrong(*element, "forward", "\"l2\", \"ipip\", \"gue\" or \"local\"", diagnostics);
            well = false;
        } else if (*word->second) {
            diagnostics.add(element->place, "forward: '" + std::string(word->first) + "' twice");
        } else {
            *word->second = true;
        }
    }
    if (const auto* array = value->as<Array>(); array != nullptr && array->empty())
        diagnostics.add(value->place, "forward: expected how packets arrive, found nothing");
    return {well ? std::optional(modes) : std::nullopt, value->place, true};
}

// ---- tables ----

VipDraft read_vip(const Value& value, bool whole, Diagnostics& diagnostics) {
    const Table& table = *value.as<Table>();
    SectionReader reader(vip_schema, value.place, members_of(table), diagnostics, whole);
    VipDraft vip;
    vip.place = value.place;
    vip.address = reader.address("address");
    vip.hold = reader.choice("hold");
    vip.modes = read_modes(table, value.place, diagnostics);
    for (const Value* element : tables(table, "port", diagnostics)) {
        SectionReader port(port_schema, element->place, members_of(*element->as<Table>()),
                           diagnostics, whole);
        vip.ports.push_back({element->place, port.choice("protocol"), port.integer("service"),
                             port.integer("server")});
    }
    return vip;
}

void read_server(const Table& table, Place place, bool whole, Draft& draft,
                 Diagnostics& diagnostics) {
    SectionReader reader(server_schema, place, members_of(table), diagnostics, whole);
    draft.place = place;
    draft.interfaces = reader.interfaces("interfaces");
    draft.gue_port = reader.integer("gue_port");
    draft.persist = reader.choice("persist");
    draft.mss_clamp = read_mss_clamp(table, place, diagnostics);
    if (const Value* value = find(table, "balancers"))
        for (const Value* element :
             texts(*value, "balancers", "[\"192.0.2.11\", \"2001:db8::/64\"]", diagnostics))
            draft.balancers.push_back(read_balancer(*element, diagnostics));
}

void add_keys(const TableSchema& schema, std::vector<std::string>& keys) {
    for (const KeySchema& key : schema.keys)
        if (key.type != KeyType::tables)
            keys.push_back(std::string(schema.path) + "." + std::string(key.key));
}

}  // namespace

Draft read_draft(const model::Document& document, Diagnostics& diagnostics) {
    Draft draft;
    constexpr Place file{0, 0, 0};
    // For what it says of keys that are not known.
    [[maybe_unused]] const SectionReader root(root_schema, file, members_of(document.root),
                                              diagnostics, document.whole);
    const Value* server = find(document.root, "server");
    if (server == nullptr && document.whole) diagnostics.add(file, "missing table [server]");
    if (server != nullptr && server->as<Table>() == nullptr)
        wrong(*server, "server", "a table, [server]", diagnostics);
    else if (server != nullptr)
        read_server(*server->as<Table>(), server->place, document.whole, draft, diagnostics);
    const Value* vips = find(document.root, "vip");
    const Array* array = vips != nullptr ? vips->as<Array>() : nullptr;
    if (document.whole && (vips == nullptr || (array != nullptr && array->empty())))
        diagnostics.add(vips != nullptr ? vips->place : file, "missing [[vip]], one at least");
    for (const Value* vip : tables(document.root, "vip", diagnostics))
        draft.vips.push_back(read_vip(*vip, document.whole, diagnostics));
    return draft;
}

std::vector<std::string> config_keys() {
    std::vector<std::string> keys;
    for (const TableSchema* schema : config_schema())
        add_keys(*schema, keys);
    return keys;
}

}  // namespace bascule::backend
