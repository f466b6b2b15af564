// SPDX-License-Identifier: Apache-2.0
// Starting, killing, upgrading, reloading, stopping: a server is whole, or as it was found.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "backend/hooks.h"
#include "traffic.h"

namespace bascule::test {
namespace {

constexpr const char* all_ways = "[\"l2\", \"ipip\", \"gue\"]";

std::uint32_t link_id(const std::string& pin) {
    const Descriptor link(bpf_obj_get(pin.c_str()));
    bpf_link_info info{};
    std::uint32_t size = sizeof info;
    return link && bpf_obj_get_info_by_fd(link.get(), &info, &size) == 0 ? info.id : 0;
}

std::uint32_t program_under(const std::string& pin) {
    const Descriptor link(bpf_obj_get(pin.c_str()));
    bpf_link_info info{};
    std::uint32_t size = sizeof info;
    return link && bpf_obj_get_info_by_fd(link.get(), &info, &size) == 0 ? info.prog_id : 0;
}

void add_foreign_filter(bpf_tc_attach_point where) {
    bpf_insn code[2] = {};
    code[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
    code[0].imm = -1;  // TC_ACT_UNSPEC
    code[1].code = BPF_JMP | BPF_EXIT;
    const Descriptor program(
        bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "somebodys", "GPL", code, 2, nullptr));
    bpf_tc_hook hook{};
    hook.sz = sizeof hook;
    hook.ifindex = static_cast<int>(::if_nametoindex("eth0"));
    hook.attach_point = where;
    bpf_tc_opts options{};
    options.sz = sizeof options;
    options.handle = 1;
    options.priority = 1;
    options.prog_fd = program.get();
    ASSERT_EQ(bpf_tc_attach(&hook, &options), 0);
}

class Life : public Traffic {
protected:
    // A server that echoes and a client that asks, one after the other; none may be lost.
    void open_flow() {
        server_ = std::make_unique<Socket>(Socket::udp(vip(true), server_port));
        client_ = std::make_unique<Socket>(client_udp(true));
        ASSERT_EQ(client_->connect(vip(true), service_port), 0);
    }
    void ask() {
        const std::string text = "question " + std::to_string(++asked_);
        client_->send(text);
        const auto heard = server_->receive();
        ASSERT_EQ(heard.text, text) << log();
        server_->send_to("answer " + text, heard.from, heard.port);
        ASSERT_EQ(client_->receive().text, "answer " + text) << log();
    }
    int applied() {
        return nlohmann::json::parse(command("status --json").output)["applied"].get<int>();
    }
    std::string pin() const { return bpffs_ + "/xdp_eth0"; }

    std::unique_ptr<Socket> server_;
    std::unique_ptr<Socket> client_;
    int asked_ = 0;
};

TEST_F(Life, StoppingGivesTheServerBackAsItWasFound) {
    const std::string before = snapshot();
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    const std::string meanwhile = snapshot();
    EXPECT_NE(meanwhile, before);
    EXPECT_NE(meanwhile.find("-net/ipv4/conf/eth0/arp_ignore = 1"), std::string::npos) << meanwhile;
    EXPECT_EQ(end(SIGTERM), 0) << log();
    EXPECT_EQ(snapshot(), before);
}

TEST_F(Life, WhatWasThereBeforeStays) {
    must(std::string("ip addr add ") + vip4 + "/32 dev lo && ip addr add " + vip6 +
         "/128 dev lo nodad");
    must("sysctl -qw net.ipv4.conf.all.arp_ignore=2 net.ipv4.conf.eth0.arp_announce=1");
    must("tc qdisc add dev eth0 clsact");
    add_foreign_filter(BPF_TC_EGRESS);
    std::ofstream(sysctl_dir_ + "/60-bascule-backend.conf") << "# of the administrator\n";
    const std::string before = snapshot();
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    // What is enough is not touched.
    EXPECT_NE(snapshot().find("arp_ignore = 2"), std::string::npos);
    EXPECT_EQ(end(SIGTERM), 0) << log();
    EXPECT_EQ(snapshot(), before);
}

TEST_F(Life, WhatOthersChangedMeanwhileIsTheirs) {
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    must("sysctl -qw net.ipv4.conf.all.arp_ignore=8");
    add_foreign_filter(BPF_TC_INGRESS);
    EXPECT_EQ(end(SIGTERM), 0) << log();
    const std::string after = snapshot();
    EXPECT_NE(after.find("net.ipv4.conf.all.arp_ignore = 8"), std::string::npos) << after;
    EXPECT_NE(after.find("somebodys"), std::string::npos) << after;
    EXPECT_EQ(after.find("bascule"), std::string::npos) << after;
}

// A reload has to overrule him; the end gives him his value back, not an older one.
TEST_F(Life, WhatOthersSetBetweenReloadsComesBack) {
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    must("sysctl -qw net.ipv4.conf.all.arp_ignore=3");
    send(SIGHUP);
    ASSERT_TRUE(eventually([&] { return applied() == 2; })) << log();
    EXPECT_NE(snapshot().find("net.ipv4.conf.all.arp_ignore = 1"), std::string::npos);
    EXPECT_EQ(end(SIGTERM), 0) << log();
    EXPECT_NE(snapshot().find("net.ipv4.conf.all.arp_ignore = 3"), std::string::npos);
}

// After a loss of power the record is gone with /run, and the settings' file is not.
TEST_F(Life, ItsOwnSettingsFileIsNobodyElses) {
    const std::string file = sysctl_dir_ + "/60-bascule-backend.conf";
    const std::string before = snapshot();
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    must("cp " + file + " " + directory_ + "/kept");
    EXPECT_EQ(end(SIGTERM), 0) << log();
    must("cp " + directory_ + "/kept " + file);
    ASSERT_NO_FATAL_FAILURE(start());
    EXPECT_EQ(end(SIGTERM), 0) << log();
    EXPECT_EQ(snapshot(), before);
    must("cp " + directory_ + "/kept " + file);
    EXPECT_EQ(command("undo").status, 0);
    EXPECT_EQ(snapshot(), before);
}

// systemd-sysctl sets what the file says before the program is there: not how the host was found.
TEST_F(Life, AfterABootItsOwnSettingsAreNotTakenForTheHosts) {
    const std::string file = sysctl_dir_ + "/60-bascule-backend.conf";
    const std::string before = snapshot();
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    must("cp " + file + " " + directory_ + "/kept");
    EXPECT_EQ(end(SIGTERM), 0) << log();
    must("cp " + directory_ + "/kept " + file + " && sysctl -qp " + file);
    EXPECT_NE(snapshot(), before);
    ASSERT_NO_FATAL_FAILURE(start());
    EXPECT_EQ(end(SIGTERM), 0) << log();
    EXPECT_EQ(snapshot(), before);
}

TEST_F(Life, KilledItGoesOnServingAndTheNextOneTakesOver) {
    const std::string before = snapshot();
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    start_balancer({"gue", true});
    ASSERT_NO_FATAL_FAILURE(open_flow());
    ASSERT_NO_FATAL_FAILURE(ask());
    const std::uint32_t link = link_id(pin());
    const std::uint32_t program = program_under(pin());
    ASSERT_NE(link, 0U);

    kill();
    ASSERT_NO_FATAL_FAILURE(ask());
    EXPECT_EQ(command("status").status, 4);
    EXPECT_NE(command("status").output.find("no process"), std::string::npos);

    ASSERT_NO_FATAL_FAILURE(start());
    ASSERT_NO_FATAL_FAILURE(ask());
    EXPECT_EQ(link_id(pin()), link);
    EXPECT_NE(program_under(pin()), program);
    // Counters go on.
    EXPECT_EQ(counter("decapsulated_gue"), 3U);

    EXPECT_EQ(end(SIGTERM), 0);
    EXPECT_EQ(snapshot(), before);
}

TEST_F(Life, AnUpgradeLeavesEverythingInPlace) {
    const std::string before = snapshot();
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    start_balancer({"ipip", false});
    ASSERT_NO_FATAL_FAILURE(open_flow());
    EXPECT_EQ(end(SIGUSR1), 0);
    ASSERT_NO_FATAL_FAILURE(ask());
    ASSERT_NO_FATAL_FAILURE(start());
    ASSERT_NO_FATAL_FAILURE(ask());
    EXPECT_EQ(end(SIGTERM), 0);
    EXPECT_EQ(snapshot(), before);
}

// The record says what to undo, and a process that dies between record and change undoes nothing
// that is not there.
TEST_F(Life, KilledAtAnyMomentItIsUndoneWhole) {
    const std::string before = snapshot();
    write_config(config(all_ways));
    for (int round = 0; round < 30; ++round) {
        const Ended ended =
            shell("timeout -s KILL 0." + std::to_string(100 + round * 12) + " " +
                  BASCULE_BACKEND_PROGRAM + " --config " + directory_ + "/backend.toml" +
                  " --runtime-dir " + directory_ + "/run --bpffs " + bpffs_ + " --sysctl-dir " +
                  sysctl_dir_ + " run");
        EXPECT_EQ(ended.status, 137) << ended.output;
        const Ended undone = command("undo");
        EXPECT_EQ(undone.status, 0) << undone.output;
        EXPECT_EQ(snapshot(), before) << "after round " << round;
    }
}

TEST_F(Life, WithoutTheRecordMarksTell) {
    const std::string addresses = shell("ip -o addr show").output;
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    kill();
    must("rm " + record_);
    const Ended undone = command("undo");
    EXPECT_EQ(undone.status, 0) << undone.output;
    EXPECT_NE(undone.output.find("is lost"), std::string::npos) << undone.output;
    EXPECT_EQ(shell("ip -o addr show").output, addresses);
    EXPECT_EQ(snapshot().find("bascule_restore"), std::string::npos);
    EXPECT_EQ(shell("ip link show dev eth0").output.find("xdp"), std::string::npos);
}

TEST_F(Life, ReloadAppliesTheDifference) {
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    start_balancer({"ipip", true});
    ASSERT_NO_FATAL_FAILURE(open_flow());
    ASSERT_NO_FATAL_FAILURE(ask());
    write_config(config(all_ways) + "[[vip]]\naddress = \"10.9.0.101\"\nforward = [\"l2\"]\n");
    send(SIGHUP);
    ASSERT_TRUE(eventually([&] {
        return shell("ip addr show dev lo").output.find("10.9.0.101") != std::string::npos;
    })) << log();
    ASSERT_NO_FATAL_FAILURE(ask());
    // Without tunnels and ports there is nothing for the programs to do.
    write_config(config("[\"l2\"]", "", false));
    send(SIGHUP);
    ASSERT_TRUE(eventually([&] { return applied() == 3; })) << log();
    EXPECT_EQ(command("status").status, 0);
    EXPECT_EQ(shell("ip addr show dev lo").output.find("10.9.0.101"), std::string::npos);
    EXPECT_EQ(snapshot().find("clsact"), std::string::npos);
    EXPECT_EQ(link_id(pin()), 0U);
}

TEST_F(Life, ABadReloadIsRefusedWhole) {
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    start_balancer({"ipip", true});
    ASSERT_NO_FATAL_FAILURE(open_flow());
    const std::string before = snapshot();
    for (const std::string& text :
         {config("[\"ipop\"]"),
          std::string("[server]\ninterfaces = [\"eth0\", \"gone0\"]\n[[vip]]\naddress = "
                      "\"10.9.0.101\"\nforward = [\"l2\"]\n")}) {
        const std::size_t logged = log().size();
        write_config(text);
        send(SIGHUP);
        ASSERT_TRUE(eventually([&] {
            return log().find("refused, everything stays", logged) != std::string::npos;
        })) << log();
        EXPECT_EQ(snapshot(), before);
        ASSERT_NO_FATAL_FAILURE(ask());
    }
    EXPECT_NE(log().find("there is no network interface 'gone0'"), std::string::npos) << log();
}

TEST_F(Life, AForeignProgramIsNotTouched) {
    bpf_insn code[2] = {};
    code[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
    code[0].imm = XDP_PASS;
    code[1].code = BPF_JMP | BPF_EXIT;
    const Descriptor program(
        bpf_prog_load(BPF_PROG_TYPE_XDP, "somebodys", "GPL", code, 2, nullptr));
    ASSERT_EQ(bpf_xdp_attach(static_cast<int>(::if_nametoindex("eth0")), program.get(),
                             XDP_FLAGS_DRV_MODE, nullptr),
              0);
    const std::string before = snapshot();
    write_config(config(all_ways));
    const Ended ended = run_to_end();
    EXPECT_EQ(ended.status, 1);
    EXPECT_NE(ended.output.find("eth0 carries another XDP program already ('somebodys'"),
              std::string::npos)
        << ended.output;
    EXPECT_EQ(snapshot(), before);
}

TEST_F(Life, AFailureInTheMiddleIsTakenBack) {
    // Something that no look beforehand tells: the place of the ARP settings' file is gone.
    must("rmdir " + sysctl_dir_);
    const std::string before = snapshot();
    write_config(config(all_ways));
    const Ended ended = run_to_end();
    EXPECT_EQ(ended.status, 1);
    EXPECT_NE(ended.output.find("60-bascule-backend.conf"), std::string::npos) << ended.output;
    EXPECT_EQ(snapshot(), before);
}

TEST_F(Life, ASecondProcessIsRefused) {
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    const std::string before = snapshot();
    const Ended ended = run_to_end();
    EXPECT_EQ(ended.status, 1);
    EXPECT_NE(ended.output.find("another bascule-backend runs on"), std::string::npos);
    EXPECT_EQ(command("undo").status, 1);
    EXPECT_EQ(snapshot(), before);
}

TEST_F(Life, AnInterfaceThatIsMadeAnewIsServedAgain) {
    ASSERT_NO_FATAL_FAILURE(start(config("[\"ipip\"]")));
    must(
        "ip link del eth0 && ip link add eth0 type veth peer name eth0p && ip link set eth0 up && "
        "ip link set eth0p up");
    EXPECT_TRUE(eventually([&] { return command("status").status == 0; }))
        << command("status").output << log();
    EXPECT_EQ(end(SIGTERM), 0) << log();
    EXPECT_EQ(snapshot().find("bascule"), std::string::npos);
}

// The kernel refuses to remove a qdisc at the very moment that somebody reads its filters.
TEST_F(Life, WhoLooksOnDoesNotHinderTheEnd) {
    const std::string before = snapshot();
    for (int round = 0; round < 8; ++round) {
        ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
        std::atomic<bool> ends{false};
        std::vector<std::thread> onlookers;
        for (int i = 0; i < 12; ++i)
            onlookers.emplace_back([&] {
                while (!ends)
                    (void)backend::filter_program(::if_nametoindex("eth0"));
            });
        const int status = end(SIGTERM);
        ends = true;
        for (std::thread& onlooker : onlookers)
            onlooker.join();
        EXPECT_EQ(status, 0) << log();
        EXPECT_EQ(snapshot(), before);
    }
}

TEST_F(Life, StatusTellsOfAVipThatIsNotOnLo) {
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    must(std::string("ip addr del ") + vip4 + "/32 dev lo && ip addr add " + vip4 + "/32 dev eth0");
    const Ended status = command("status");
    EXPECT_EQ(status.status, 4);
    EXPECT_NE(status.output.find("! the VIP 10.9.0.100 is on eth0, where"), std::string::npos)
        << status.output;
}

TEST_F(Life, AnInterfaceWithAnotherNameIsGivenBack) {
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    must("ip link set eth0 down && ip link set eth0 name lan0");
    EXPECT_EQ(end(SIGTERM), 0) << log();
    const std::string after =
        shell("tc qdisc show dev lan0; tc filter show dev lan0 egress; ip link show lan0").output;
    EXPECT_EQ(after.find("bascule"), std::string::npos) << after;
    EXPECT_EQ(after.find("clsact"), std::string::npos) << after;
    EXPECT_EQ(after.find("xdp"), std::string::npos) << after;
}

// One that is still gone, or not to be had, takes no other one along; and is tried again.
TEST_F(Life, OfTwoInterfacesEachIsServedAgain) {
    must("ip link add eth1 type veth peer name eth1p && ip link set eth1 up");
    std::string text = config("[\"ipip\"]");
    text.replace(text.find("\"eth0\""), 6, "\"eth1\", \"eth0\"");
    ASSERT_NO_FATAL_FAILURE(start(text));
    must("ip link del eth1 && ip link del eth0");
    must("ip link add eth0 type veth peer name eth0p && ip link set eth0 up");
    EXPECT_TRUE(eventually([&] {
        return snapshot().find("bascule_restore") != std::string::npos && link_id(pin()) != 0 &&
               snapshot().find("net.ipv4.conf.eth0.arp_ignore = 1") != std::string::npos;
    })) << log();
    // Made anew with a program of somebody else, which goes later.
    must("ip link add eth2 type veth peer name eth2p");
    bpf_insn code[2] = {};
    code[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
    code[0].imm = XDP_PASS;
    code[1].code = BPF_JMP | BPF_EXIT;
    const Descriptor program(
        bpf_prog_load(BPF_PROG_TYPE_XDP, "somebodys", "GPL", code, 2, nullptr));
    const int index = static_cast<int>(::if_nametoindex("eth2"));
    ASSERT_EQ(bpf_xdp_attach(index, program.get(), XDP_FLAGS_DRV_MODE, nullptr), 0);
    must("ip link set eth2 name eth1 && ip link set eth1 up");
    EXPECT_TRUE(eventually([&] { return log().find("to eth1") != std::string::npos; })) << log();
    EXPECT_EQ(command("status").status, 4);
    ASSERT_EQ(bpf_xdp_detach(index, XDP_FLAGS_DRV_MODE, nullptr), 0);
    must("ip link set eth1 mtu 1400");
    EXPECT_TRUE(eventually([&] { return command("status").status == 0; }))
        << command("status").output << log();
    EXPECT_EQ(end(SIGTERM), 0) << log();
    EXPECT_EQ(snapshot().find("bascule"), std::string::npos);
}

TEST_F(Life, AVipOfSomebodyElseIsNotHeld) {
    write_config(
        "[server]\ninterfaces = [\"eth0\"]\n[[vip]]\naddress = \"10.9.0.100\"\n"
        "forward = [\"local\"]\nhold = false\n[[vip.port]]\nservice = 80\nserver = 8080\n");
    ASSERT_NO_FATAL_FAILURE(start());
    EXPECT_EQ(shell("ip addr show dev lo").output.find(vip4), std::string::npos);
    EXPECT_NE(snapshot().find("bascule_restore"), std::string::npos);
    EXPECT_NE(snapshot().find("net.ipv4.conf.all.arp_ignore = 0"), std::string::npos);
}

TEST_F(Life, StatusOfAServerThatIsNotReady) {
    write_config(config(all_ways));
    EXPECT_EQ(command("status").status, 3);
    EXPECT_EQ(command("undo").status, 0);
    EXPECT_EQ(command("check").status, 0);
    EXPECT_NE(command("check").output.find(": 1 interface, 2 VIPs, 4 ports\n"), std::string::npos);
    EXPECT_EQ(command("nonsense").status, 2);
    write_config("[server]\n");
    EXPECT_EQ(command("check").status, 1);
    EXPECT_EQ(run_to_end().status, 1);
}

}  // namespace
}  // namespace bascule::test
