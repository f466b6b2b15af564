// SPDX-License-Identifier: Apache-2.0
// A lab with a client behind a balancer of few lines.
#pragma once

#include <memory>
#include <string>

#include "backend/packets.h"
#include "balancer.h"
#include "lab.h"
#include "sockets.h"

namespace bascule::test {

// How the balancer sends to the server.
struct Way {
    const char* mode;  // "l2", "ipip", "gue"
    bool outer_v4;     // of a tunnel
};

inline std::string name_of(const Way& way) {
    std::string name = way.mode;
    if (name != "l2") name += way.outer_v4 ? "_in_v4" : "_in_v6";
    return name;
}

class Traffic : public Lab {
protected:
    void start_balancer(const Way& way) {
        there([&] {
            balancer_ = std::make_unique<Balancer>(
                service_port, server_port,
                [way](const backend::Bytes& packet) { return wrap(way, packet); },
                [this](const backend::Bytes& packet) { send_packet(packet); });
            must(std::string("ip addr add ") + client4 + "/24 dev tun && ip addr add " + client6 +
                 "/64 dev tun nodad");
            must(std::string("ip route add ") + vip4 + " dev tun src " + client4 +
                 " && ip route add " + vip6 + " dev tun src " + client6);
        });
    }

    void TearDown() override {
        balancer_.reset();
        Lab::TearDown();
    }

    static Address vip(bool v4) { return ip(v4 ? vip4 : vip6); }
    static Address client(bool v4) { return ip(v4 ? client4 : client6); }

    Socket client_udp(bool v4) {
        std::unique_ptr<Socket> made;
        there([&] { made = std::make_unique<Socket>(Socket::udp(client(v4), 0)); });
        return std::move(*made);
    }
    Socket client_tcp(bool v4) {
        std::unique_ptr<Socket> made;
        there([&] { made = std::make_unique<Socket>(Socket::tcp(client(v4), 0)); });
        return std::move(*made);
    }

private:
    static backend::Bytes wrap(const Way& way, const backend::Bytes& packet) {
        const Address from = ip(way.outer_v4 ? balancer4 : balancer6);
        const Address to = ip(way.outer_v4 ? server4 : server6);
        if (std::string(way.mode) == "ipip") return backend::in_ip(from, to, packet);
        if (std::string(way.mode) == "gue") return backend::in_gue(from, to, 6080, packet);
        return packet;
    }

    std::unique_ptr<Balancer> balancer_;
};

}  // namespace bascule::test
