// SPDX-License-Identifier: Apache-2.0
// What nodes of a cluster compare: equal where they mean the same, and only there.
#include "node/cluster_hash.h"

#include <gtest/gtest.h>

namespace bascule::node {
namespace {

std::uint64_t hash(const std::string& text) {
    return config_hash({{"a.toml", text}});
}

const std::string base =
    "[node]\nname = \"lb1\"\n[[vip]]\naddress = \"10.9.0.100\"\ninterface = \"eth0\"\n"
    "[[service]]\nname = \"web\"\nport = 80\n"
    "[[service.backend]]\nname = \"web1\"\n[[service.backend]]\nname = \"web2\"\n";

TEST(ConfigHash, LeavesOutWhatIsANodesOwn) {
    std::string other = base;
    other.replace(other.find("lb1"), 3, "lb2");
    other.replace(other.find("eth0"), 4, "ens9");
    EXPECT_EQ(hash(base), hash(other + "[log]\nlevel = \"debug\"\n[hook]\ncommand = [\"/x\"]\n" +
                               "[http]\nlisten = \"10.9.0.12\"\n"));
    EXPECT_EQ(hash("[cluster]\nname = \"c\"\nkey_file = \"/a\"\n"),
              hash("[cluster]\nkey_file = \"/b\"\nname = \"c\"\n"));
}

TEST(ConfigHash, LeavesOutOrderAndLayout) {
    EXPECT_EQ(hash(base), hash("# a comment\n[[service]]\nport=80\nname='web'\n"
                               "backend = [{name = \"web2\"}, {name = \"web1\"}]\n"
                               "[[vip]]\ninterface = \"eth1\"\naddress = \"10.9.0.100\"\n"));
    const std::string more = "[[service]]\nname = \"mail\"\n";
    EXPECT_EQ(hash(base + more), config_hash({{"a.toml", more}, {"b.toml", base}}))
        << "files add to each other's lists";
}

TEST(ConfigHash, SeesWhatDiffers) {
    std::string port = base;
    port.replace(port.find("80\n"), 2, "81");
    EXPECT_NE(hash(base), hash(port));
    EXPECT_NE(hash(base), hash(base + "weight = 3\n"));
    EXPECT_NE(hash("[cluster]\nname = \"c\"\n"), hash("[cluster]\nname = \"d\"\n"));
    EXPECT_NE(hash("[a]\nb = [1, 2]\n"), hash("[a]\nb = [2, 1]\n"));
    EXPECT_NE(hash("[a]\nb = \"1\"\n"), hash("[a]\nb = 1\n"));
    EXPECT_NE(hash("no toml ["), hash("neither ["));
}

model::DesiredService service() {
    model::DesiredService made;
    made.key = {Address::v4({10, 9, 0, 100}), {80, 80}, model::Protocol::tcp};
    for (std::uint8_t i = 1; i <= 3; i++) {
        model::DesiredBackend backend;
        backend.key = {Address::v4({10, 9, 0, i}), 80};
        backend.weight = 100;
        backend.next_hop = model::NextHop{};
        backend.backup = i == 3;
        made.backends.push_back(backend);
    }
    return made;
}

constexpr std::array<std::uint64_t, 2> secret = {1, 2};

std::uint64_t hash(const model::DesiredService& of) {
    return ring_hash({{}, {of}}, secret);
}

TEST(RingHash, IsOfWhatTheRingIsMadeOf) {
    const auto base_hash = hash(service());
    auto other = service();
    std::swap(other.backends[0], other.backends[1]);
    other.backends[1].next_hop->ifindex = 7;
    other.backends[2].weight = 5;  // a backup while others serve
    EXPECT_EQ(hash(other), base_hash);

    other = service();
    other.backends[0].weight = 99;
    EXPECT_NE(hash(other), base_hash);
    other = service();
    other.backends[0].up = false;
    const auto without = hash(other);
    EXPECT_NE(without, base_hash);
    other.backends[0] = service().backends[0];
    other.backends[0].next_hop.reset();
    EXPECT_EQ(hash(other), without) << "for whatever reason it is not in the ring";
    other = service();
    other.ring_size = 101;
    EXPECT_NE(hash(other), base_hash);
    EXPECT_NE(ring_hash({{}, {service()}}, {1, 3}), base_hash)
        << "another secret chooses otherwise";
}

TEST(RingHash, BackupsCountWhenNobodyElseDoes) {
    auto other = service();
    other.backends[0].weight = other.backends[1].weight = 0;
    const auto on_backup = hash(other);
    other.backends[2].weight = 5;
    EXPECT_NE(hash(other), on_backup);
}

}  // namespace
}  // namespace bascule::node
