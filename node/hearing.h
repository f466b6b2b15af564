// SPDX-License-Identifier: Apache-2.0
// Whether heartbeats of peers can come in (can_hear()), asked of the kernel only when it has
// reported a change that could make it different: a list of all addresses is long on some hosts.
// Thread: control.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/config.h"
#include "node/netlink.h"

namespace bascule::node {

class Hearing {
public:
    // Where the kernel's reports cannot be had it looks every time.
    explicit Hearing(boost::asio::io_context& io);

    // As can_hear() would say now. True where the kernel does not tell, and asked again next time.
    bool can_hear(const model::ClusterNodeConfig& own, const std::vector<model::VipConfig>& vips);

    std::uint64_t looks() const { return looks_; }

private:
    void on_message(const nlmsghdr& header);

    std::unique_ptr<NetlinkEvents> events_;
    bool stale_ = true;
    bool hears_ = true;  // as last seen
    std::vector<model::Endpoint> own_;
    std::vector<Address> vips_;
    std::uint64_t looks_ = 0;
};

}  // namespace bascule::node
