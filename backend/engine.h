// SPDX-License-Identifier: Apache-2.0
// One set of a real server's programs and tables, filled for one configuration. A new
// configuration is a new set, put under the hooks in the place of the old one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "backend/config.h"
#include "backend/netlink.h"
#include "base/result.h"

struct companion_bpf;

namespace bascule::backend {

class Engine {
public:
    // Counters go on from `counters_pin` on a bpffs where they are there, and are pinned there.
    static Result<Engine> load(const Config& config, const std::string& counters_pin);

    int unwrap_program() const;
    int restore_program() const;

    // This host's; what tunnels may be for are those that are no VIPs. Returns how many had no
    // room.
    std::size_t set_hosts(const std::vector<HostAddress>& addresses);
    void set_mtus(const std::vector<Link>& links, const std::vector<std::string>& interfaces);

private:
    struct Close {
        void operator()(companion_bpf* skeleton) const;
    };
    explicit Engine(companion_bpf* skeleton) : skeleton_(skeleton) {}
    Result<void> fill(const Config& config);
    Result<void> fill_vip(const Config& config, const Vip& vip);

    std::unique_ptr<companion_bpf, Close> skeleton_;
    std::set<Address> vips_;
};

struct CounterInfo {
    std::string name;
    std::string text;
    bool dropped = false;
};
const std::vector<CounterInfo>& counter_infos();

// By index of counter_infos(); all zero when nothing is pinned there.
Result<std::vector<std::uint64_t>> read_counters(const std::string& counters_pin);

// Names that the programs have in the kernel.
inline constexpr const char* unwrap_name = "bascule_unwrap";
inline constexpr const char* restore_name = "bascule_restore";

}  // namespace bascule::backend
