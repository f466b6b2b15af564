// SPDX-License-Identifier: Apache-2.0
// Listens on all of this node's addresses. An address that is not there now (an interface that has
// gone or is yet to come) is tried again every second.
//
// Thread: that of its io_context. Invariant: `on_accepted` is not called after the destructor.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/config.h"

namespace bascule::sync {

class StreamListener {
public:
    using OnAccepted = std::function<void(boost::asio::ip::tcp::socket socket, std::size_t path)>;

    // Endpoint i is path i.
    StreamListener(boost::asio::io_context& io, const std::vector<model::Endpoint>& own,
                   OnAccepted on_accepted);
    ~StreamListener();
    StreamListener(const StreamListener&) = delete;
    StreamListener& operator=(const StreamListener&) = delete;

    // "cannot listen at 10.9.0.11:7400: Cannot assign requested address"
    std::vector<std::string> problems() const;

private:
    struct Path;

    std::vector<std::shared_ptr<Path>> paths_;
};

}  // namespace bascule::sync
