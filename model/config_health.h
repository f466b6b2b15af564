// SPDX-License-Identifier: Apache-2.0
// [service.health] and the programs that the daemon runs: as written, and what becomes of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/config_reader.h"

namespace bascule::model {

struct ServiceDraft;

struct ProgramDraft {
    Placed<Texts> command;
    Placed<std::string> user;
};

struct HealthDraft {
    Place place;  // of its table, or of the service that has none
    Placed<std::string_view> type;
    Placed<std::string_view> via;
    Placed<std::int64_t> port;
    Placed<Address> source;

    Placed<std::int64_t> interval;
    Placed<std::int64_t> fast_interval;
    Placed<std::int64_t> timeout;
    Placed<std::int64_t> rise;
    Placed<std::int64_t> fall;
    Placed<std::int64_t> slow_start;
    Placed<std::int64_t> flap_limit;
    Placed<std::int64_t> flap_window;
    Placed<std::int64_t> hold_down;
    Placed<std::int64_t> hold_down_max;

    Placed<std::string> send;
    Placed<std::string> send_hex;
    Placed<std::string> expect;
    Placed<std::string> expect_hex;
    Placed<std::string> expect_regex;

    Placed<std::string_view> method;
    Placed<std::string> path;
    Placed<std::string> host;
    Placed<Texts> headers;
    Placed<std::vector<StatusRange>> status;
    Placed<std::string_view> keep_alive;
    Placed<std::int64_t> body_limit;

    Placed<std::string> sni;
    Placed<std::string> ca;
    Placed<std::string_view> verify;
    Placed<std::string> certificate;
    Placed<std::string> key;
    Placed<std::int64_t> expiry_warning;

    Placed<std::string> name;
    Placed<std::string_view> record;
    Placed<std::string_view> rcode;
    Placed<std::string> answer;

    ProgramDraft program;

    bool is(std::string_view word) const { return type.value == word; }
};

// What holds where a key is left out and its default is no single value; the value otherwise.
// Nullopt: what it depends on cannot be read.
std::optional<std::int64_t> fast_interval_of(const HealthDraft& health);
std::optional<std::int64_t> timeout_of(const HealthDraft& health);
std::optional<std::int64_t> hold_down_max_of(const HealthDraft& health);

ProgramDraft read_program(SectionReader& reader);
HealthDraft read_health(SectionReader& reader);

// Why checks of this service cannot go by the VIP; empty: they can, or it cannot be told.
std::string no_way_by_vip(const ServiceDraft& service);
// Whether they do, backends with an address or port of their own for checks aside.
bool goes_by_vip(const ServiceDraft& service);

// Both only of a draft without errors.
ProgramConfig program_of(const ProgramDraft& draft, const Diagnostics& diagnostics);
HealthConfig health_of(const ServiceDraft& service, const Diagnostics& diagnostics);

}  // namespace bascule::model
