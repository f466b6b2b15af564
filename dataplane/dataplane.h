// SPDX-License-Identifier: Apache-2.0
// The XDP engine as the rest of the daemon sees it. The one library that links libbpf.
//
// Everything lives in pins below one bpffs directory, so that it outlives the process:
//   <bpffs>/v<layout>/maps/<map>      tables, sessions, counters
//   <bpffs>/v<layout>/links/<ifname>  the attached program; packets flow while this exists
//   <bpffs>/v<layout>/probe/link      the probing program on our end of the probes' pair
// open() adopts what is pinned and creates what is not. Destroying a Dataplane leaves all of it in
// place; detach_all() takes it away.
//
// Thread: everything here belongs to the control thread, but SessionTable and DeltaFeed, which the
// session thread uses.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/delta_feed.h"
#include "dataplane/session_table.h"
#include "dataplane/vip_guard.h"
#include "model/config.h"
#include "model/plan.h"
#include "model/tables.h"

namespace bascule::dataplane {

struct Options {
    std::string bpffs = "/sys/fs/bpf/bascule";
    std::uint32_t max_sessions = 1'000'000;
    std::uint32_t max_sessions_v6 = 1'000'000;
    std::array<std::uint64_t, 2> ring_key{};  // the cluster's (or the node's) secret; never rotated
};

struct Traffic {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint64_t new_sessions = 0;
};

struct Attachment {
    std::string interface;
    std::uint32_t ifindex = 0;
    model::XdpMode mode = model::XdpMode::native;  // native or generic: what was got
    bool adopted = false;                          // was attached before this process started
    std::string warning;                           // why generic, if it is
    // At the moment of asking: not, when somebody took the program off, or the interface is gone.
    bool alive = true;
};

struct Named {
    const char* name;     // as shown to the operator
    const char* meaning;  // one line
    std::uint64_t count;
};

// Our end of the veth pair that probes leave by, and what Linux has at the other.
struct ProbePath {
    std::string interface;      // carries the probing program (bscp1)
    std::uint32_t ifindex = 0;  // of it
    Mac stack_mac;              // of the stack's end (bscp0): what answers are addressed to
};

// What XDP last saw of a backend's probes (enum bsc_probe_event, with its details).
struct ProbeNote {
    std::uint32_t event = 0;
    std::uint32_t detail = 0;
    Address from;            // sender of an ICMP error
    std::uint16_t port = 0;  // host order, of OTHER_PORT
    std::uint8_t generation = 0;
    std::uint64_t nanoseconds = 0;  // CLOCK_MONOTONIC
};

class Dataplane {
public:
    // Loads the programs, adopting or making the maps. Errors name the bpffs path, the missing
    // capability or the verifier's last line.
    static Result<std::unique_ptr<Dataplane>> open(const Options& options);
    ~Dataplane();

    // True when tables of an earlier process were found and taken over.
    bool adopted() const;
    // True when, at open(), programs of an earlier process were on interfaces and went, or may have
    // gone, by other tables than these: of another layout, or lost. They forward, and tables() does
    // not tell how.
    bool inherited() const;
    // Takes away what other layouts left. To be called when every interface has this process's
    // program: the next process is inherited() until then.
    Result<void> drop_other_layouts();

    // Puts the program on an interface, or swaps it in place under a link that is pinned already.
    // Refuses when a foreign XDP program is there, naming it; in mode `native` also when the
    // driver has no native XDP. `automatic` falls back to generic with a warning.
    // `route_ifindex` is the index by which routes name the interface: the bond's for a part of a
    // bond; 0: its own.
    Result<Attachment> attach(const std::string& interface, model::XdpMode mode,
                              std::uint32_t route_ifindex = 0);
    // Takes the program off one interface.
    Result<void> detach(const std::string& interface);
    // Those of an earlier process included, from open() on, in order of name.
    std::vector<Attachment> attachments() const;
    // The interface has another MAC address now.
    void interface_mac_changed(std::uint32_t ifindex, Mac mac);

    // What stands in the maps, read back from them at open() and kept true by apply().
    const model::Tables& tables() const;
    // Carries out a plan made against tables(), write by write in order. On failure what was
    // written stands, tables() tells it, and the error names the write.
    Result<void> apply(const model::Plan& plan);

    // Totals over all CPUs.
    Traffic service_traffic(std::uint16_t slot) const;
    Traffic backend_traffic(std::uint16_t slot) const;
    std::vector<Named> drops() const;
    std::vector<Named> events() const;

    SessionTable& sessions();
    const SessionTable& sessions() const;
    // By service slot, a copy of what XDP reads, as it is at the call; services published later are
    // not in it. Any thread.
    std::vector<IdleLimits> idle_limits() const;
    DeltaFeed& deltas();

    // For BPF_PROG_TEST_RUN (trace, tests, benchmarks): the program of the first port. Stays open
    // until the Dataplane goes.
    int program_fd() const;
    // The tracing copy for an interface that carries the program: on the same tables, but writes
    // nothing that a live packet could meet. Loaded when first asked for; stays open as above.
    Result<int> tracing_program(const std::string& interface);
    // Swaps copies that report packets under all links, or the usual ones again. On failure the
    // usual ones stand, as far as the kernel lets them be put back.
    Result<void> set_capturing(bool on);
    // Puts the probing copy on our end of the pair, or swaps it in place; and answers go there.
    Result<void> set_probe_path(const ProbePath& path);
    // Probes come from this address from now on: what comes back with it is looked at.
    void add_probe_source(const Address& source);
    ProbeNote probe_note(std::uint16_t backend_slot) const;
    // A map by its name in bpf/maps.h; -1: there is none. Stays open as above.
    int map_fd(const std::string& name) const;
    VipGuard vip_guard() const;
    // The clock that packets are stamped by.
    std::uint32_t seconds() const;

    // Takes programs, links and pins of `bpffs` away, whatever process made them. VIPs are not its
    // business. Order: links first, so that no packet meets half an engine.
    static Result<void> detach_all(const std::string& bpffs);

private:
    struct Impl;
    explicit Dataplane(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace bascule::dataplane
