// SPDX-License-Identifier: Apache-2.0
#include "backend/record.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backend/files.h"

namespace bascule::backend {
namespace {

using Json = nlohmann::json;

constexpr int format = 1;

Json to_json(const Record& record) {
    Json json;
    json["format"] = format;
    json["config_file"] = record.config_file;
    json["addresses"] = Json::array();
    for (const Address& address : record.addresses)
        json["addresses"].push_back(address.to_string());
    json["sysctls"] = Json::object();
    for (const auto& [path, change] : record.sysctls)
        json["sysctls"][path] = {{"before", change.before}, {"now", change.now}};
    json["sysctl_file"] = record.sysctl_file;
    if (record.sysctl_file_before) json["sysctl_file_before"] = *record.sysctl_file_before;
    json["interfaces"] = Json::array();
    for (const HookedInterface& interface : record.interfaces)
        json["interfaces"].push_back({{"name", interface.name},
                                      {"ifindex", interface.ifindex},
                                      {"xdp", interface.xdp},
                                      {"filter", interface.filter},
                                      {"clsact", interface.clsact},
                                      {"warning", interface.warning}});
    return json;
}

// Throws what the JSON library throws for what is not there, or of another type.
Record from_json(const Json& json) {
    Record record;
    record.config_file = json.at("config_file").get<std::string>();
    for (const Json& text : json.at("addresses"))
        if (const auto address = Address::parse(text.get<std::string>()))
            record.addresses.push_back(*address);
    for (const auto& [path, change] : json.at("sysctls").items())
        record.sysctls[path] = {change.at("before").get<std::string>(),
                                change.at("now").get<std::string>()};
    record.sysctl_file = json.at("sysctl_file").get<bool>();
    if (json.contains("sysctl_file_before"))
        record.sysctl_file_before = json.at("sysctl_file_before").get<std::string>();
    for (const Json& interface : json.at("interfaces"))
        record.interfaces.push_back(
            {interface.at("name").get<std::string>(), interface.at("ifindex").get<std::uint32_t>(),
             interface.at("xdp").get<bool>(), interface.at("filter").get<bool>(),
             interface.at("clsact").get<bool>(), interface.at("warning").get<std::string>()});
    return record;
}

}  // namespace

HookedInterface* Record::find(const std::string& interface) {
    const auto found = std::find_if(interfaces.begin(), interfaces.end(),
                                    [&](const auto& known) { return known.name == interface; });
    return found == interfaces.end() ? nullptr : &*found;
}

Result<std::optional<Record>> load_record(const std::string& path) {
    auto text = read_file(path);
    if (!text) return failure(std::move(text.error()));
    if (!*text) return std::optional<Record>();
    try {
        const Json json = Json::parse(**text);
        if (json.at("format").get<int>() != format)
            return failure(path + ": written by another version of this program");
        return std::optional(from_json(json));
    } catch (const Json::exception& error) {
        return failure(path + ": not a record of this program: " + error.what());
    }
}

Result<void> save_record(const std::string& path, const Record& record) {
    return write_file(path, to_json(record).dump(2) + "\n", 0600);
}

Result<void> remove_record(const std::string& path) {
    return remove_file(path);
}

}  // namespace bascule::backend
