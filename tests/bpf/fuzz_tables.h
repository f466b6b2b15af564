// SPDX-License-Identifier: Apache-2.0
// The tables that packet_fuzz runs packets against: every way to a backend, every option of a
// service, VIPs that are held and VIPs that are not; and how to tell which service a frame that
// left was of.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "delivery.h"
#include "model/tables.h"

namespace bascule::test {

struct FuzzService {
    Served served;
    Mac station;  // of its one backend, and of no other
};

class FuzzTables {
public:
    FuzzTables();

    const std::vector<FuzzService>& services() const { return services_; }
    model::Desired desired() const;

    // The service that has a port of a VIP, the narrowest of several; none.
    const FuzzService* owner(const Address& vip, model::Protocol protocol,
                             std::uint16_t port) const;
    const FuzzService* by_station(const Mac& mac) const;
    bool is_vip(const Address& address) const;

private:
    void add(Served served);
    void add_everywhere(const Served& served);

    std::vector<FuzzService> services_;
};

}  // namespace bascule::test
