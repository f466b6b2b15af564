// SPDX-License-Identifier: Apache-2.0
// Runs one coroutine to its end and hands out what it returns.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

namespace bascule::testing {

template <typename T>
T await_result(boost::asio::io_context& io, boost::asio::awaitable<T> work) {
    std::optional<T> result;
    std::exception_ptr thrown;
    bool over = false;
    boost::asio::co_spawn(io, std::move(work), [&](std::exception_ptr error, T value) {
        thrown = error;
        if (!error) result.emplace(std::move(value));
        over = true;
    });
    io.restart();
    while (!over && io.run_one() > 0) {
    }
    if (thrown) std::rethrow_exception(thrown);
    if (!result) throw std::runtime_error("the coroutine never ended");
    return std::move(*result);
}

}  // namespace bascule::testing
