// SPDX-License-Identifier: Apache-2.0
// How much a configuration may hold.
#include <gtest/gtest.h>

#include "bpf/contract.h"
#include "model/maglev.h"
#include "tests/unit/model/config_text.h"

namespace bascule::model {
namespace {

using namespace testing;

std::string many_backends(unsigned count) {
    std::string text;
    for (unsigned n = 0; n < count; ++n)
        text += "[[service.backend]]\naddress = \"10." + std::to_string(10 + (n >> 16)) + '.' +
                std::to_string((n >> 8) & 255) + '.' + std::to_string(n & 255) + "\"\n";
    return text;
}

TEST(Config, RingSize) {
    expect_errors(with_service("ring_size = 65536\n" + backend_text),
                  {"a.toml:10:13: ring_size: 65536 is no prime; the next one is 65537"});
    expect_errors(with_service("ring_size = 101\n" + many_backends(2)),
                  {"a.toml:10:13: ring_size: 101 is too small for 2 backends, set 211 or a larger "
                   "prime"});
    EXPECT_EQ(good(with_service("ring_size = 211\n" + many_backends(2))).services[0].ring_size,
              211u);
    expect_errors(with_service("ring_size = 1048574\n" + backend_text),
                  {"a.toml:10:13: ring_size: expected an integer from 101 to 1048573, found the "
                   "integer 1048574"});
    expect_errors(with_service(many_backends(656)),
                  {"a.toml:6:1: ring_size: 65537 is too small for 656 backends, set 65609 or a "
                   "larger prime"});
    expect_errors(with_service(many_backends(10'486)),
                  {"a.toml:6:1: 10486 backends in one service need a larger ring than the largest, "
                   "1048573 slots"});
}

TEST(Config, SeventyThousandBackendsAreOneError) {
    const std::size_t first_excess = 10 + 2 * (BSC_MAX_BACKENDS - 1);
    expect_errors(with_service(many_backends(70'000)),
                  {"a.toml:" + std::to_string(first_excess) +
                   ":1: 70000 backends in all; at most 16383 are possible"});
}

TEST(Config, LimitsOfServicesAndVips) {
    std::string vips;
    for (unsigned n = 0; n <= BSC_MAX_VIPS; ++n)
        vips += "[[vip]]\ninterface = \"eth0\"\naddress = \"10.9." + std::to_string(n >> 8) + '.' +
                std::to_string(n & 255) + "\"\n";
    expect_errors(node_text + vips, {"a.toml:771:1: 257 VIPs in all; at most 256 are possible"});
    std::string services = node_text + vip_text;
    for (unsigned n = 1; n <= BSC_MAX_SERVICES + 1; ++n)
        services += "[[service]]\nname = \"s" + std::to_string(n) +
                    "\"\nvip = \"10.9.0.100\"\nport = " + std::to_string(n) + "\n" + backend_text;
    expect_errors(services, {"a.toml:6150:1: 1025 services in all; at most 1024 are possible"});
}

}  // namespace
}  // namespace bascule::model
