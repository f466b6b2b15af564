// SPDX-License-Identifier: Apache-2.0
// The probing copy of the program on our end of the probes' veth pair, and what XDP saw of probes.
//
// Its link is pinned apart from those of the interfaces that clients' packets arrive by, so that
// none of what is done to those is done to it. Thread: control. Invariant: an end that carries the
// program keeps it; a new copy is swapped in under its link, never taken off first.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/address.h"
#include "base/result.h"
#include "bpf/contract.h"
#include "dataplane/bpffs.h"
#include "dataplane/dataplane.h"
#include "dataplane/loader.h"

namespace bascule::dataplane {

class ProbePort {
public:
    struct Memory {
        bsc_port* port = nullptr;  // the pair's entry of `ports`
        std::span<bsc_probe_note> notes;
        bsc_probe_gate* gate = nullptr;
    };
    // `load` makes the probing copy.
    using Load = std::function<Result<Program>()>;
    ProbePort(const Pins& pins, Load load, const Memory& memory);

    // Finds the link that an earlier process pinned; one whose interface is gone goes, too.
    Result<void> adopt();
    Result<void> set(const ProbePath& path);
    void add_source(const Address& source);
    ProbeNote note(std::uint16_t backend_slot) const;

private:
    Result<void> put_on(const ProbePath& path);
    Result<void> let_go();

    Pins pins_;
    Load load_;
    Memory memory_;
    std::optional<Program> program_;
    Descriptor link_;       // none: the program is on no interface
    bool current_ = false;  // the link has this process's copy
};

}  // namespace bascule::dataplane
