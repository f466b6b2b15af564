// SPDX-License-Identifier: Apache-2.0
#include "health/program_helper.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "health/program_request.h"

namespace bascule::health {

namespace {

std::string& helper_path() {
    static std::string path;
    return path;
}

Result<Descriptor> connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return failure(path + ": too long for a Unix socket");
    std::memcpy(address.sun_path, path.data(), path.size());
    Descriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket ||
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return failure(Error::system("helper, " + path, errno));
    return socket;
}

}  // namespace

void use_helper(std::string path) {
    helper_path() = std::move(path);
}

const std::string& helper_socket() {
    return helper_path();
}

Result<Process> start_by_helper(const std::vector<std::string>& command,
                                const std::vector<std::string>& environment,
                                const ProgramUser& user) {
    auto connection = connect_to(helper_socket());
    if (!connection) return failure(std::move(connection).error());
    auto output = make_program_pipe();
    auto report = make_program_pipe();
    if (!output) return failure(std::move(output).error());
    if (!report) return failure(std::move(report).error());
    const ProgramRequest request{command, environment, user, std::move(output->to),
                                 std::move(report->to)};
    if (auto sent = send_request(connection->get(), request); !sent)
        return failure(std::move(sent).error());
    Process process;
    process.helped = true;
    process.pidfd = std::move(*connection);
    process.output = std::move(output->from);
    process.failure = std::move(report->from);
    return process;
}

bool ask_helper_for_priority(pid_t thread, int priority) {
    constexpr int patience = 1000;  // ms; systemd may have to start it first
    const auto connection = connect_to(helper_socket());
    if (!connection || !send_priority_request(connection->get(), {thread, priority})) return false;
    pollfd polled{connection->get(), POLLIN, 0};
    if (::poll(&polled, 1, patience) <= 0) return false;
    const auto end = receive_end(connection->get());
    return end && end->exit_code == 0;
}

}  // namespace bascule::health
