// SPDX-License-Identifier: Apache-2.0
// A real server made ready for its balancers, changed, and given back as it was found.
//
// Order. A server must never be half: what reaches it has to meet either a server that answers
// for the VIP rightly, or one that does not answer for it at all. So it comes up from what nobody
// sees to what everybody sees: ARP settings (before there is a VIP to be silent about), ports and
// MSS of what leaves, decapsulation, and last the VIPs on lo, which is when Linux begins to take
// packets for them. It goes down the other way round: VIPs first, so that from then on packets for
// them find no owner and nothing is sent in their name; then the programs, then the ARP settings. A
// VIP that somebody else holds has no such last step: its programs come before its packets are to
// come, and go after, which is the balancer's to see to (drain).
//
// Single-threaded. Invariant: whatever is changed stands in the record, on the disk, before it is.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backend/config.h"
#include "backend/engine.h"
#include "backend/netlink.h"
#include "backend/put_back_pace.h"
#include "backend/record.h"
#include "base/descriptor.h"
#include "base/result.h"

namespace bascule::backend {

struct Options {
    std::string config = "/etc/bascule/backend.toml";
    std::string runtime_dir = "/run/bascule-backend";
    std::string bpffs = "/sys/fs/bpf/bascule-backend";
    std::string sysctl_dir = "/etc/sysctl.d";

    std::string record_file() const { return runtime_dir + "/state.json"; }
    std::string applied_file() const { return runtime_dir + "/applied.toml"; }
    std::string lock_file() const { return runtime_dir + "/lock"; }
    std::string counters_pin() const { return bpffs + "/counters"; }
    std::string sysctl_file() const { return sysctl_dir + "/60-bascule-backend.conf"; }
};

class Companion {
public:
    // Takes the place of the one process that may change things, and the record of the one before.
    static Result<Companion> open(const Options& options);

    // Anything of ours is on this host: this or an earlier process changed it.
    bool active() const { return !record_.empty(); }

    // From whatever is there to what is wanted; what is right already is not touched. All is
    // checked before anything is changed. When a change fails all the same, what was before is put
    // back: the earlier configuration, or the host as found; of one that an earlier process put in
    // place nothing is known but the record, and it stays, still serving as far as it was.
    // `text`: what the configuration was read from, kept for who asks what is applied.
    Result<void> apply(const Config& config, const std::string& text);
    // An apply failed, and putting back what was before failed, too: neither is whole, until an
    // apply succeeds, or puts back what was before.
    bool is_torn() const { return is_torn_; }

    // Addresses, MTUs or interfaces of the host changed. A VIP that somebody else took off it is
    // put back, each at most once a second.
    Result<void> refresh();
    // When a refresh is due though nothing changes, in milliseconds from now; -1: never. As poll(2)
    // takes it.
    int refresh_due() const;
    // VIPs put back so far.
    std::uint64_t put_back_count() const { return put_back_count_; }

    // The host as it was found. What can be undone is, whatever fails; the first failure is told.
    Result<void> undo();

    const Record& record() const { return record_; }

    // Tells others, by the lock, what this process has done.
    void tell(std::uint64_t applied, std::uint64_t refused) const;

private:
    Companion(const Options& options, Descriptor lock, Netlink netlink);
    Result<std::vector<Link>> examine(const Config& config);
    Result<void> examine_interface(const Config& config, const std::string& name,
                                   const std::vector<Link>& links);
    Result<void> change(const Config& config, const std::vector<Link>& links);
    void go_back(const Error& why, bool was_active);
    Result<void> follow_host();

    Result<void> remove_pins();

    Result<void> follow_interface(const Config& config, const Link& link);
    Result<void> put_hooks(const Config& config, const std::vector<Link>& links);
    Result<void> put_hook(const Config& config, const Link& link);
    Result<void> drop_hooks(HookedInterface& interface, bool xdp, bool filter);
    Result<void> drop_surplus_hooks(const Config& config);

    Result<void> put_sysctls(const Config& config);
    Result<void> put_sysctls_of(const Config& config, const std::string& interface);
    Result<void> put_sysctl(const std::string& path, const std::string& least);
    Result<void> restore_sysctl(const std::string& path);
    Result<void> drop_surplus_sysctls(const Config& config);
    Result<void> put_sysctl_file(const Config& config);
    Result<void> restore_sysctl_file();

    Result<void> put_addresses(const Config& config);
    Result<void> drop_addresses(const std::vector<Address>& kept);
    Result<void> put_back(const Config& config);
    Result<void> hold(const Address& vip);

    Result<void> save() { return save_record(options_.record_file(), record_); }

    Options options_;
    Descriptor lock_;
    Netlink netlink_;
    Record record_;
    std::optional<Config> config_;  // what this process applied
    std::unique_ptr<Engine> engine_;
    std::set<std::string> unserved_;  // interfaces made anew that could not be served yet
    bool is_torn_ = false;
    PutBackPace pace_;
    std::uint64_t put_back_count_ = 0;
};

// The ARP settings that a server with VIPs on lo needs, by path, with the value that is set.
std::vector<std::pair<std::string, std::string>> wanted_sysctls(const Config& config);
// Whether a value that is there does what the wanted one is for.
bool is_enough(const std::string& path, const std::string& value);
// Text of the file for systemd-sysctl(8), which also tells what was there before this program's
// changes. Pure.
std::string sysctl_file_text(const Config& config,
                             const std::map<std::string, SysctlChange>& changes);
// The changes that such a text tells of; what is no setting of ours counts as not there. Pure.
std::map<std::string, SysctlChange> changes_of_file(const std::string& text);
// Whether a file's text is one of those.
bool is_own_sysctl_file(const std::string& text);

}  // namespace bascule::backend
