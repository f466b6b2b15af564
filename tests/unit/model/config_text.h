// SPDX-License-Identifier: Apache-2.0
// Configurations as texts, and what is expected of them.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/config.h"

namespace bascule::model::testing {

inline const std::string node_text = "[node]\ninterfaces = [\"eth0\"]\n";
inline const std::string vip_text = "[[vip]]\naddress = \"10.9.0.100\"\ninterface = \"eth0\"\n";

inline ParsedConfig parse(const std::string& text) {
    return parse_config({{"a.toml", text}}, "host");
}

inline std::string errors_text(const ParsedConfig& parsed) {
    std::string text;
    for (const Diagnostic& error : parsed.errors)
        text += error.to_string() + '\n';
    return text;
}

inline Config good(const std::string& text) {
    const ParsedConfig parsed = parse(text);
    EXPECT_TRUE(parsed.errors.empty()) << errors_text(parsed);
    return parsed.config.value();
}

inline void expect_errors(const std::string& text, const std::vector<std::string>& expected) {
    std::string all;
    for (const std::string& line : expected)
        all += line + '\n';
    const ParsedConfig parsed = parse(text);
    EXPECT_EQ(errors_text(parsed), all) << text;
    EXPECT_EQ(parsed.config.has_value(), parsed.errors.empty());
}

// `body` is the inside of a service on line 6 whose name, VIP and port stand on that line's table.
inline std::string with_service(const std::string& body) {
    return node_text + vip_text + "[[service]]\nname = \"web\"\nvip = \"10.9.0.100\"\nport = 80\n" +
           body;
}

inline const std::string backend_text = "[[service.backend]]\naddress = \"10.9.0.21\"\n";

}  // namespace bascule::model::testing
