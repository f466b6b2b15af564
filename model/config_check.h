// SPDX-License-Identifier: Apache-2.0
// What the checks across keys share.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "model/config_draft.h"

namespace bascule::model {

// Remembers where each key was first, and complains of the next.
template <typename Key>
class Unique {
public:
    explicit Unique(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

    bool has(const Key& key) const { return first_.contains(key); }

    void add(const Key& key, Place place, const std::string& what) {
        const auto [first, fresh] = first_.emplace(key, place);
        if (!fresh)
            diagnostics_.add(
                place, what + " is there already at " + diagnostics_.to_string(first->second));
    }

private:
    Diagnostics& diagnostics_;
    std::map<Key, Place> first_;
};

// Why no packet may be sent to or from this address, whatever it is for; empty: it may.
std::string_view unfit(const Address& address);

// What a service is checked against.
struct Surroundings {
    std::set<Address> vips;
    bool whole = true;               // see Draft
    bool too_many_backends = false;  // in all, which is said already
};

// A sane segment size, where one is written.
void check_mss_clamp(const ForwardDraft& forward, Diagnostics& diagnostics);

// One service and its backends.
void check_service(const ServiceDraft& service, const Surroundings& around,
                   Diagnostics& diagnostics);

// Services that want the same ports, and more ranges than the data plane holds.
void check_ports(const Draft& draft, Diagnostics& diagnostics);

}  // namespace bascule::model
