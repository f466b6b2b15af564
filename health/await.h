// SPDX-License-Identifier: Apache-2.0
// Waiting for a socket or descriptor, or else for a deadline: whichever comes first.
//
// A parallel_group and no `||` of coroutines: those start a coroutine for each side, which ignores
// total cancellation. Thread: that of the io_context.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace bascule::health {

// True: `object` (a socket or descriptor) can be read, or has an error to tell; false: it is
// `deadline`. What can be read at the deadline counts. The timer is the caller's, to be used again.
template <typename Object>
boost::asio::awaitable<bool> readable_before(Object& object, boost::asio::steady_timer& timer,
                                             std::chrono::steady_clock::time_point deadline) {
    namespace asio = boost::asio;
    timer.expires_at(deadline);
    const auto [order, read_error, timer_error] =
        co_await asio::experimental::make_parallel_group(
            object.async_wait(Object::wait_read, asio::deferred), timer.async_wait(asio::deferred))
            .async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    co_return order[0] == 0;
}

}  // namespace bascule::health
