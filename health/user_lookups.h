// SPDX-License-Identifier: Apache-2.0
// Looks users up away from the loop: where they are not in /etc/passwd the host's user database may
// be a server that does not answer, and nothing else must wait for it.
//
// One thread a name at most, however many ask for it; nothing is kept, since a user may be changed.
// Thread: that of the io_context. Found by boost::asio::use_service.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "health/program_user.h"

namespace bascule::health {

class UserLookups : public boost::asio::execution_context::service {
public:
    using key_type = UserLookups;
    using LookUp = std::function<Result<ProgramUser>(const std::string&)>;
    static boost::asio::execution_context::id id;

    explicit UserLookups(boost::asio::execution_context& context);

    // Error: there is no such user, or nobody has said so by `deadline`.
    boost::asio::awaitable<Result<ProgramUser>> find(
        std::string name, std::chrono::steady_clock::time_point deadline);

    // Another database, for tests. Called from other threads.
    void set_database(LookUp look_up) { look_up_ = std::move(look_up); }

private:
    struct Gate;
    struct Lookup;
    struct Waiter;

    void shutdown() override;
    std::shared_ptr<Lookup> join(const std::string& name);
    void start(const std::string& name);
    void tell(const std::string& name, const Result<ProgramUser>& answer);

    boost::asio::io_context& io_;
    boost::asio::steady_timer timer_;  // makes Asio's own service older than this one
    LookUp look_up_ = find_user;
    std::shared_ptr<Gate> gate_;  // the threads' as well
    std::map<std::string, std::shared_ptr<Lookup>> under_way_;
};

}  // namespace bascule::health
