// SPDX-License-Identifier: Apache-2.0
// The configuration as it was written: every value with its place, those that cannot be read
// missing. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "backend/config.h"
#include "model/config_reader.h"
#include "model/config_tree.h"

namespace bascule::backend {

using model::Placed;

struct PortDraft {
    model::Place place;
    Placed<std::string_view> protocol;
    Placed<std::int64_t> service;
    Placed<std::int64_t> server;
};

struct VipDraft {
    model::Place place;
    Placed<Address> address;
    Placed<Modes> modes;
    Placed<std::string_view> hold;
    std::vector<PortDraft> ports;
};

struct Draft {
    model::Place place;  // of [server]
    std::vector<Placed<std::string>> interfaces;
    std::vector<Placed<Prefix>> balancers;
    Placed<std::int64_t> gue_port;
    Placed<MssClamp> mss_clamp;
    Placed<std::string_view> persist;
    std::vector<VipDraft> vips;
};

Draft read_draft(const model::Document& document, model::Diagnostics& diagnostics);
// Everything that no key can tell alone. `whole`: no part of the file is hidden by a syntax error.
void check_draft(const Draft& draft, bool whole, model::Diagnostics& diagnostics);

}  // namespace bascule::backend
