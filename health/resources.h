// SPDX-License-Identifier: Apache-2.0
// What all probes of a process share. Each kind of probe has a part of its own in it (TLS contexts,
// raw sockets, a bound on programs), which this file does not know.
//
// Thread: that of the io_context. Outlives every probe made with it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <typeindex>

#include "health/probe.h"

namespace bascule::health {

class ProbeResources {
public:
    explicit ProbeResources(boost::asio::io_context& io) : io_(io) {}

    // The one Part of the process, made by Part(io) at first use.
    template <typename Part>
    Part& get() {
        std::shared_ptr<void>& part = parts_[typeid(Part)];
        if (!part) part = std::make_shared<Part>(io_);
        return *static_cast<Part*>(part.get());
    }

private:
    boost::asio::io_context& io_;
    std::map<std::type_index, std::shared_ptr<void>> parts_;
};

}  // namespace bascule::health
