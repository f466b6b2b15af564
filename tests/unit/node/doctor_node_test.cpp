// SPDX-License-Identifier: Apache-2.0
// The node and its kernel: one thing ill at a time.
#include "doctor_bed.h"

namespace bascule::node {
namespace {

Examination examined(const NodeLook& look) {
    Examination examination;
    judge_node(look, examination);
    return examination;
}

Examination examined(const KernelLook& look) {
    Examination examination;
    judge_kernel(look, examination);
    return examination;
}

TEST(DoctorNode, OneThatIsWell) {
    const Examination examination = examined(good_node());
    EXPECT_EQ(codes_found(examination), Codes{});
    for (const char* code :
         {"daemon-down", "daemon-silent", "config-invalid", "config-unread", "key-missing",
          "key-open", "key-owner", "key-damaged", "state-unwritable", "state-full"})
        EXPECT_EQ(result_of(examination, code), DoctorCheck::Result::well) << code;
}

TEST(DoctorNode, ADeadDaemonAndWhatItLeft) {
    NodeLook look = good_node();
    look.daemon = NodeLook::Daemon::absent;
    look.why = "no daemon answers on /run/bascule/control.sock";
    look.config_runs.reset();
    EXPECT_EQ(codes_found(examined(look)), Codes{"daemon-down"});
    EXPECT_NE(finding_of(examined(look), "daemon-down").what.find("nothing is balanced"),
              std::string::npos);
    look.engine_left = true;
    EXPECT_NE(finding_of(examined(look), "daemon-down").what.find("forwards on"),
              std::string::npos);
    EXPECT_EQ(result_of(examined(look), "config-unread"), DoctorCheck::Result::not_needed);
    look.daemon = NodeLook::Daemon::silent;
    EXPECT_EQ(codes_found(examined(look)), Codes{"daemon-silent"});
    look.daemon = NodeLook::Daemon::hidden;
    EXPECT_EQ(codes_found(examined(look)), Codes{});
    EXPECT_EQ(result_of(examined(look), "daemon-down"), DoctorCheck::Result::not_made);
}

TEST(DoctorNode, FilesThatAreWrongOrNotRead) {
    NodeLook look = good_node();
    look.config_errors = {"bascule.toml:3:1: unknown key 'intervall'", "bascule.toml:9:1: …"};
    look.config_runs = false;
    Examination examination = examined(look);
    EXPECT_EQ(codes_found(examination), Codes{"config-invalid"}) << "that they differ is clear";
    EXPECT_EQ(examination.findings().size(), 2u);
    EXPECT_EQ(examination.findings()[0].what, look.config_errors[0]);
    look.config_errors.clear();
    examination = examined(look);
    EXPECT_EQ(codes_found(examination), Codes{"config-unread"});
    EXPECT_EQ(finding_of(examination, "config-unread").command,
              "bascule check /etc/bascule/bascule.toml && bascule reload");
}

TEST(DoctorNode, AKeyFileThatOthersMayRead) {
    NodeLook look = good_node();
    look.key->mode = 0100644;
    look.key->readable = failure("others may read or change it");
    EXPECT_EQ(codes_found(examined(look)), Codes{"key-open"}) << "and not damaged, too";
    EXPECT_EQ(finding_of(examined(look), "key-open").command, "chmod 600 /etc/bascule/cluster.key");
    look.key->mode = 0100600;
    look.key->owner = 1000;
    EXPECT_EQ(codes_found(examined(look)), Codes{"key-owner"});
    look.self = 1000;
    look.key->readable = {};
    EXPECT_EQ(codes_found(examined(look)), Codes{}) << "the daemon's own user";
    look.key->readable = failure("no line begins with 'key'");
    EXPECT_EQ(codes_found(examined(look)), Codes{"key-damaged"});
    look.key->missing = true;
    EXPECT_EQ(codes_found(examined(look)), Codes{"key-missing"});
    look.key.reset();
    EXPECT_EQ(codes_found(examined(look)), Codes{});
    EXPECT_EQ(result_of(examined(look), "key-open"), DoctorCheck::Result::not_needed);
}

TEST(DoctorNode, ADiskThatIsFullOrReadOnly) {
    NodeLook look = good_node();
    look.state_writable = failure("cannot be written: Read-only file system");
    look.state_space = StateSpace{4096, 100'000};
    EXPECT_EQ(codes_found(examined(look)), (Codes{"state-unwritable", "state-full"}));
    look.state_space = StateSpace{std::uint64_t{1} << 30, 2};
    EXPECT_EQ(codes_found(examined(look)), (Codes{"state-unwritable", "state-full"}));
    look.state_space = failure("Permission denied");
    EXPECT_EQ(result_of(examined(look), "state-full"), DoctorCheck::Result::not_made);
}

TEST(DoctorKernel, OneThatIsWell) {
    const Examination examination = examined(good_kernel());
    EXPECT_EQ(codes_found(examination), Codes{});
    for (const char* code : {"kernel-old", "bpf-refused", "bpffs-missing", "bpf-jit-off",
                             "bpf-jit-hardened", "clock-unsynchronised"})
        EXPECT_EQ(result_of(examination, code), DoctorCheck::Result::well) << code;
}

TEST(DoctorKernel, Versions) {
    KernelLook look = good_kernel();
    for (const char* old : {"5.10.0-33-amd64", "6.0.19", "4.19.0", "6.0"}) {
        look.release = old;
        EXPECT_EQ(codes_found(examined(look)), Codes{"kernel-old"}) << old;
    }
    for (const char* good : {"6.1", "6.18.5", "10.0.0-rc1"}) {
        look.release = good;
        EXPECT_EQ(codes_found(examined(look)), Codes{}) << good;
    }
    for (const char* odd : {"", "6", "six.one"}) {
        look.release = odd;
        EXPECT_EQ(result_of(examined(look), "kernel-old"), DoctorCheck::Result::not_made) << odd;
    }
}

TEST(DoctorKernel, WhatItRefusesOrDoesSlowly) {
    KernelLook look = good_kernel();
    look.bpf = failure("make a BPF map: Operation not permitted");
    look.bpffs->is_bpffs = false;
    look.jit_enable = 0;
    look.jit_harden = 2;
    look.clock_synchronised = false;
    const Examination examination = examined(look);
    EXPECT_EQ(codes_found(examination), (Codes{"bpf-refused", "bpffs-missing", "bpf-jit-off",
                                               "bpf-jit-hardened", "clock-unsynchronised"}));
    EXPECT_EQ(finding_of(examination, "bpffs-missing").command, "mount -t bpf bpf /sys/fs/bpf");
}

TEST(DoctorKernel, WhatCannotBeSeen) {
    KernelLook look = good_kernel();
    look.jit_enable = failure("cannot be seen in this network namespace");
    look.jit_harden = failure("cannot be seen in this network namespace");
    look.bpffs = failure("/sys/fs/bpf: Permission denied");
    look.clock_synchronised = failure("Operation not permitted");
    const Examination examination = examined(look);
    EXPECT_EQ(codes_found(examination), Codes{});
    for (const char* code :
         {"bpffs-missing", "bpf-jit-off", "bpf-jit-hardened", "clock-unsynchronised"})
        EXPECT_EQ(result_of(examination, code), DoctorCheck::Result::not_made) << code;
}

}  // namespace
}  // namespace bascule::node
