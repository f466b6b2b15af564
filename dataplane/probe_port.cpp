// SPDX-License-Identifier: Apache-2.0
#include "dataplane/probe_port.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>

#include <array>
#include <bit>
#include <cerrno>
#include <string>
#include <utility>

#include "bpf/atomics.h"
#include "bpf/lookup.h"
#include "dataplane/config_memory.h"
#include "dataplane/interface.h"
#include "dataplane/libbpf_log.h"
#include "dataplane/link.h"

namespace bascule::dataplane {

namespace {

const char* pin_name = "/link";  // one pair, so one link, whatever the interface is called

}  // namespace

ProbePort::ProbePort(const Pins& pins, Load load, const Memory& memory)
    : pins_(pins), load_(std::move(load)), memory_(memory) {}

Result<void> ProbePort::adopt() {
    auto link = open_pin(pins_.probe + pin_name);
    if (!link) return failure(std::move(link.error()));
    if (!*link) return {};
    const auto ifindex = interface_of_link((*link)->get());
    if (!ifindex) return failure(Error(ifindex.error()).within(pins_.probe + pin_name));
    if (*ifindex == 0) return unpin(pins_.probe + pin_name);
    link_ = std::move(**link);
    return {};
}

Result<void> ProbePort::set(const ProbePath& path) {
    auto put = put_on(path);
    if (!put) return failure(std::move(put.error()).within("probes by " + path.interface));
    bsc_port& port = *memory_.port;
    port.ifindex = path.ifindex;
    port.route_ifindex = path.ifindex;
    bsc_store(&port.mac, path.stack_mac.to_word());
    return {};
}

Result<void> ProbePort::put_on(const ProbePath& path) {
    if (!program_) {
        auto program = load_();
        if (!program) return failure(std::move(program.error()));
        program_ = std::move(*program);
    }
    // The pair may have been made anew; an index may even have come back to it.
    const auto on = link_ ? interface_of_link(link_.get()) : Result<std::uint32_t>(0U);
    if (!on) return failure(on.error());
    if (link_ && *on == path.ifindex) {
        if (current_) return {};
        if (bpf_link_update(link_.get(), program_->fd(), nullptr) != 0)
            return failure(bpf_error("swap the program under its link", errno));
        current_ = true;
        return {};
    }
    if (auto gone = let_go(); !gone) return gone;
    auto occupant = xdp_occupant(path.interface, path.ifindex);
    if (!occupant) return failure(std::move(occupant.error()));
    if (occupant->program != 0)
        return failure(foreign_program(path.interface, path.ifindex, *occupant));
    // Generic: it can send out by any driver, and probes are few.
    LinkAttempt made = make_link(program_->fd(), path.ifindex, model::XdpMode::generic);
    if (!made.link) return failure(bpf_error("attach the XDP program in generic mode", made.error));
    if (auto pinned = pin(made.link.get(), pins_.probe + pin_name); !pinned) return pinned;
    link_ = std::move(made.link);
    current_ = true;
    return {};
}

Result<void> ProbePort::let_go() {
    if (!link_) return {};
    if (auto gone = unpin(pins_.probe + pin_name); !gone) return gone;
    detach_link(link_.get());
    link_.reset();
    current_ = false;
    return {};
}

// Bits are never cleared: one too many costs a look-up for some clients' new flows, and one that is
// missing would let a probe that came back go to another backend.
void ProbePort::add_source(const Address& source) {
    const AddressWords words = words_of(source);
    const std::uint32_t bit = bsc_probe_gate_bit(words.word[0], words.word[1]);
    __u64& word = memory_.gate->word[bit / 64];
    bsc_store(&word, bsc_load(&word) | 1ULL << bit % 64);
}

ProbeNote ProbePort::note(std::uint16_t backend_slot) const {
    if (backend_slot >= memory_.notes.size()) return {};
    // Word by word, as XDP may write meanwhile: fields of two events are possible, halves are not.
    std::array<__u64, sizeof(bsc_probe_note) / sizeof(__u64)> words;
    auto* from = reinterpret_cast<__u64*>(&memory_.notes[backend_slot]);
    for (__u64& word : words)
        word = bsc_load(from++);
    const auto entry = std::bit_cast<bsc_probe_note>(words);
    return {entry.event,          entry.detail,     address_of(entry.be_from),
            ntohs(entry.be_port), entry.generation, entry.nanoseconds};
}

}  // namespace bascule::dataplane
