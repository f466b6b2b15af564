// SPDX-License-Identifier: Apache-2.0
// Any bytes as configuration: there are errors or there is a configuration, never both, never a
// crash. A zero byte parts the input into files.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t most_files = 4;
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    std::vector<bascule::model::SourceText> sources;
    while (sources.size() < most_files) {
        const std::size_t end = sources.size() + 1 < most_files ? rest.find('\0') : rest.npos;
        sources.push_back({"file", std::string(rest.substr(0, end))});
        if (end == rest.npos) break;
        rest.remove_prefix(end + 1);
    }
    const auto parsed = bascule::model::parse_config(sources, "host");
    if (parsed.config.has_value() != parsed.errors.empty()) std::abort();
    for (const auto& error : parsed.errors)
        if (error.to_string().empty()) std::abort();
    return 0;
}
