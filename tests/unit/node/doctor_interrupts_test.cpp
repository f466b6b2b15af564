// SPDX-License-Identifier: Apache-2.0
// Interrupts of a NIC, from trees like those of /proc and /sys of a machine that has one. (Mocked:
// the machines that tests run on have no NIC with queues.)
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "node/doctor_look.h"

namespace bascule::node {
namespace {

namespace fs = std::filesystem;

class DoctorInterrupts : public testing::Test {
protected:
    void SetUp() override {
        std::string place = fs::temp_directory_path() / "bascule-doctor-XXXXXX";
        ASSERT_NE(::mkdtemp(place.data()), nullptr);
        root_ = place;
        link_.name = "eth0";
        link_.ifindex = 3;
    }
    void TearDown() override { fs::remove_all(root_); }

    void write(const std::string& path, const std::string& text) const {
        fs::create_directories(fs::path(root_ + path).parent_path());
        std::ofstream(root_ + path) << text;
    }
    void make_nic(const std::string& interrupts_below) const {
        write("/sys/class/net/eth0/ifindex", "3\n");
        fs::create_directories(root_ + "/sys/class/net/eth0/device");
        for (const char* number : {"24", "25", "26"})
            write("/sys/class/net/eth0/" + interrupts_below + "/msi_irqs/" + number, "msix\n");
        write("/proc/interrupts",
              "            CPU0       CPU1\n"
              "  1:          9          0   IO-APIC   1-edge      i8042\n"
              " 24:      10000      20000   PCI-MSI 1-edge      eth0-rx-0\n"
              " 25:          1          0   PCI-MSI 2-edge      eth0-rx-1\n"
              "NMI:          7          7   Non-maskable interrupts\n");
        write("/proc/irq/24/effective_affinity_list", "1\n");
        write("/proc/irq/24/smp_affinity_list", "0-1\n");
        write("/proc/irq/25/smp_affinity_list", "0-1\n");
        write("/proc/irq/26/effective_affinity_list", "\n");
        write("/proc/irq/26/smp_affinity_list", "0\n");
    }
    Result<std::vector<Interrupt>> read() const {
        auto read = interrupts_of(link_, root_ + "/proc", root_ + "/sys");
        if (read)
            std::sort(read->begin(), read->end(),
                      [](const auto& a, const auto& b) { return a.number < b.number; });
        return read;
    }

    std::string root_;
    Link link_;
};

TEST_F(DoctorInterrupts, AreCountedWithTheCpusThatServeThem) {
    make_nic("device");
    const auto read = this->read();
    ASSERT_TRUE(read) << read.error().text();
    ASSERT_EQ(read->size(), 3u);
    EXPECT_EQ((*read)[0].number, 24u);
    EXPECT_EQ((*read)[0].count, 30'000u);
    EXPECT_EQ((*read)[0].cpus, std::set<unsigned>{1}) << "what the hardware does counts";
    EXPECT_EQ((*read)[1].cpus, (std::set<unsigned>{0, 1}));
    EXPECT_EQ((*read)[2].count, 0u) << "it never came";
    EXPECT_EQ((*read)[2].cpus, std::set<unsigned>{0});
}

TEST_F(DoctorInterrupts, OfVirtioAreOneFloorBelow) {
    make_nic("device/..");
    const auto read = this->read();
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->size(), 3u);
}

TEST_F(DoctorInterrupts, OfAnotherNamespaceAreNotTaken) {
    make_nic("device");
    write("/sys/class/net/eth0/ifindex", "7\n");
    EXPECT_FALSE(read());
    fs::remove_all(root_ + "/sys");
    EXPECT_FALSE(read());
}

TEST_F(DoctorInterrupts, WithoutHardwareThereAreNone) {
    link_.kind = "veth";
    const auto read = this->read();
    ASSERT_TRUE(read);
    EXPECT_TRUE(read->empty());
}

TEST_F(DoctorInterrupts, WhatCannotBeReadIsAnError) {
    make_nic("device");
    write("/proc/irq/25/smp_affinity_list", "many\n");
    EXPECT_FALSE(read());
    make_nic("device");
    fs::remove(root_ + "/proc/interrupts");
    EXPECT_FALSE(read());
    fs::remove_all(root_ + "/sys/class/net/eth0/device/msi_irqs");
    EXPECT_FALSE(read());
}

TEST(CpuList, IsReadAsTheKernelWritesIt) {
    EXPECT_EQ(parse_cpu_list("0"), std::set<unsigned>{0});
    EXPECT_EQ(parse_cpu_list("0-2,5"), (std::set<unsigned>{0, 1, 2, 5}));
    for (const char* bad : {"", ",", "a", "3-1", "1-", "-1", "0-99999", "1 2", "4096"})
        EXPECT_FALSE(parse_cpu_list(bad)) << bad;
}

}  // namespace
}  // namespace bascule::node
