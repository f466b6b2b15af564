// SPDX-License-Identifier: Apache-2.0
// The helper's own side. One thread, one poll: what a program does costs the helper nothing, since
// its output goes to the daemon straight.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <list>
#include <string>

#include "health/program_helper.h"
#include "health/program_request.h"

namespace bascule::health {

namespace {

// As many as the daemon has slots for, twice: those that it gave up are still dying.
constexpr std::size_t most_runs = 256;

std::optional<ucred> peer_of(int socket) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
    return peer;
}

bool is_of_own_user(int socket) {
    const auto peer = peer_of(socket);
    return peer && peer->uid == ::geteuid();
}

// What sched_setscheduler says; EPERM: the thread is not of who asks, or the priority is above what
// threads of the daemon want.
int give_priority(int socket, const PriorityRequest& wanted) {
    constexpr int highest = 20;
    const auto peer = peer_of(socket);
    if (!peer || wanted.priority < 1 || wanted.priority > highest) return EPERM;
    const std::string thread =
        "/proc/" + std::to_string(peer->pid) + "/task/" + std::to_string(wanted.thread);
    if (::access(thread.c_str(), F_OK) != 0) return EPERM;
    sched_param parameter{};
    parameter.sched_priority = wanted.priority;
    const int policy = SCHED_FIFO | SCHED_RESET_ON_FORK;
    return ::sched_setscheduler(wanted.thread, policy, &parameter) == 0 ? 0 : errno;
}

// A connection, and the program that it asked for once it has.
class Run {
public:
    explicit Run(Descriptor connection) : connection_(std::move(connection)) {}
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run() {
        if (process_.pid <= 0) return;
        process_.kill_group();
        // At the helper's own end; without it the program would stay as a zombie.
        while (::waitpid(process_.pid, nullptr, 0) < 0 && errno == EINTR) {
        }
    }

    pollfd connection() const { return {connection_.get(), POLLIN, 0}; }
    pollfd process() const { return {process_.pidfd.get(), POLLIN, 0}; }

    // False: this run is over.
    bool on_connection() {
        if (process_.pid > 0) {
            // Given up: nothing but an end is said by who has asked. A program that a disk holds
            // takes its time to die, and nobody else is to wait for that.
            process_.kill_group();
            connection_ = Descriptor();
            return true;
        }
        if (const auto wanted = receive_priority_request(connection_.get())) {
            send_end(connection_.get(), {give_priority(connection_.get(), *wanted), 0});
            return false;
        }
        auto request = receive_request(connection_.get());
        if (!request) return false;
        auto pid = fork_program({request->command, request->environment, request->user,
                                 request->output.get(), request->failure.get()});
        if (!pid) return false;
        process_ = std::move(*pid);
        return true;
    }
    bool on_end() {
        process_.kill_group();  // those that it leaves behind; its number is its own until reaped
        if (const auto end = process_.reap()) {
            process_.pid = -1;
            send_end(connection_.get(), *end);
        }
        return false;
    }

private:
    Descriptor connection_;
    Process process_;
};

class Server {
public:
    explicit Server(int listener) : listener_(listener) {}

    Result<void> run() {
        for (;;) {
            std::vector<pollfd> polled = {{runs_.size() < most_runs ? listener_ : -1, POLLIN, 0}};
            for (const Run& run : runs_) {
                polled.push_back(run.connection());
                polled.push_back(run.process());
            }
            if (::poll(polled.data(), polled.size(), -1) < 0) {
                if (errno == EINTR) continue;
                return failure(Error::system("poll", errno));
            }
            look_at_runs(polled);
            if ((polled[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) return {};
            if (polled[0].revents != 0) accept_one();
        }
    }

private:
    void look_at_runs(const std::vector<pollfd>& polled) {
        std::size_t at = 1;
        for (auto run = runs_.begin(); run != runs_.end(); at += 2) {
            // Its end first: who asked may have gone at the same moment.
            bool goes_on = true;
            if (polled[at + 1].revents != 0)
                goes_on = run->on_end();
            else if (polled[at].revents != 0)
                goes_on = run->on_connection();
            run = goes_on ? std::next(run) : runs_.erase(run);
        }
    }
    void accept_one() {
        Descriptor socket(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (socket && is_of_own_user(socket.get())) runs_.emplace_back(std::move(socket));
    }

    int listener_;
    std::list<Run> runs_;
};

}  // namespace

Result<void> serve_helper(int listener) {
    const int flags = ::fcntl(listener, F_GETFL);
    if (flags < 0 || ::fcntl(listener, F_SETFL, flags | O_NONBLOCK) != 0)
        return failure(Error::system("the helper's socket", errno));
    return Server(listener).run();
}

}  // namespace bascule::health
