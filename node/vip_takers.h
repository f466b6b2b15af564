// SPDX-License-Identifier: Apache-2.0
// Which VIPs of this node another live one would take if it died now: kept in the runtime
// directory, for who cleans up after a daemon that died (`basculed --release-vips`). An orderly end
// leaves no such file, and neither does a node that nobody would relieve: theirs stay.
//
// It may be a report old (100 ms). A VIP that is released for want of a newer one comes back with
// the daemon. Thread: control; release_left_vips() that of a program of its own.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace bascule::node {

class VipTakers {
public:
    explicit VipTakers(const std::string& runtime_dir);

    // The daemon has begun: what an earlier one has left is over.
    void begin();
    // Writes it when it is another than before.
    void set(const std::set<Address>& vips);
    // It ends as it should.
    void end() { set({}); }

private:
    std::string path_;
    std::set<Address> written_;
    bool failing_ = false;  // and told so
};

struct LeftVips {
    std::vector<std::string> released;  // "10.9.0.100"
    std::vector<std::string> problems;
};

// No daemon runs: takes away the addresses that the last one has left and a peer would take; those
// that it had set itself, and no others. Reads the file once: it is gone afterwards.
LeftVips release_left_vips(const std::string& runtime_dir);

}  // namespace bascule::node
