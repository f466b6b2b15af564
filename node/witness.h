// SPDX-License-Identifier: Apache-2.0
// Witnesses: hosts outside the cluster that are asked by ICMP echo. A node that hears none of them
// may be the one that is cut off.
//
// One does not answer after `witness_round` requests in a row without an answer. At a start each
// counts as answering until then, so that no start is refused, nor a takeover delayed, for want of
// an answer to a question not yet asked. A request that ended late, because this thread was busy or
// asleep, says nothing against a witness. Thread: that of the io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "model/config.h"

namespace bascule::node {

inline constexpr int witness_round = 3;

struct WitnessState {
    Address address;
    bool answers = true;
    bool asked = false;   // an answer came, or the first round is over
    std::string problem;  // why it does not answer, in words: "no echo reply within 200ms"
    std::chrono::microseconds rtt{0};               // of its last answer
    std::chrono::steady_clock::time_point since{};  // `answers` is as it is
    std::uint64_t requests = 0;
    std::uint64_t answered = 0;

    bool operator==(const WitnessState&) const = default;
};

class Witness {
public:
    // After `answers` of one has changed, and after the first answer of one; may ask, not destroy.
    using OnChange = std::function<void(const WitnessState&)>;

    Witness(boost::asio::io_context& io, std::vector<Address> addresses,
            std::chrono::milliseconds period, OnChange on_change);
    ~Witness();
    Witness(const Witness&) = delete;
    Witness& operator=(const Witness&) = delete;

    // Those that stay keep their state.
    void set(std::vector<Address> addresses, std::chrono::milliseconds period);

    // One of them does, or none is asked for.
    bool answers() const;
    std::vector<WitnessState> state() const;

private:
    struct Shared;
    class One;

    std::shared_ptr<Shared> shared_;
    std::vector<std::shared_ptr<One>> all_;
};

// Between two requests to a witness: as long as it takes to find a peer dead twice over, but
// 200 ms to 1 s; so that one which is gone is known after three times that.
std::chrono::milliseconds witness_period(const model::ClusterConfig& cluster);

}  // namespace bascule::node
