// SPDX-License-Identifier: Apache-2.0
// Between fork and exec this is a copy of one thread of a program with several: a lock that another
// one held stays held for ever. So everything is made before the fork, and the child does nothing
// but system calls (signal-safety(7)); those that glibc spreads over all threads are made directly.
#include "health/program_start.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "health/program_helper.h"
#include "health/program_request.h"

namespace bascule::health {

namespace {

// What the child was at when it failed, for the message.
enum class Step : int { descriptors, signals, session, groups, user, privileges, folder, execute };

const char* words_of(Step step) {
    switch (step) {
        case Step::descriptors:
            return "set up its descriptors";
        case Step::signals:
            return "set its signals";
        case Step::session:
            return "make a session for it";
        case Step::groups:
            return "set its groups";
        case Step::user:
            return "become its user";
        case Step::privileges:
            return "take its privileges";
        case Step::folder:
            return "enter /";
        case Step::execute:
            return "execute it";
    }
    return "start it";
}

struct ChildFailure {
    Step step;
    int code;
};

// All that the child needs, made before the fork.
struct Plan {
    std::vector<char*> arguments;
    std::vector<char*> environment;
    const ProgramUser* user = nullptr;
    bool change_user = false;
    pid_t parent = -1;
    int null = -1;
    int output = -1;
    int failure = -1;
};

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (const auto& word : words)
        pointers.push_back(const_cast<char*>(word.c_str()));  // as execve wants it
    pointers.push_back(nullptr);
    return pointers;
}

// ---- in the child: system calls only ----

[[noreturn]] void give_up(int fd, Step step) {
    const ChildFailure failure{step, errno};
    // The parent finds an exit code all the same when even this fails.
    [[maybe_unused]] const ssize_t put = ::write(fd, &failure, sizeof failure);
    ::_exit(127);
}

// Descriptors 0, 1, 2 as they should be, 3 for a failure, and no others. Returns the last.
int set_descriptors(const Plan& plan) {
    constexpr int failure = 3;
    // Above those that are about to be replaced, wherever the parent had them.
    const int null = ::fcntl(plan.null, F_DUPFD_CLOEXEC, failure + 1);
    const int output = ::fcntl(plan.output, F_DUPFD_CLOEXEC, failure + 1);
    const int report = ::fcntl(plan.failure, F_DUPFD_CLOEXEC, failure + 1);
    if (null < 0 || output < 0 || report < 0 || ::dup2(null, 0) < 0 || ::dup2(output, 1) < 0 ||
        ::dup2(output, 2) < 0 || ::dup3(report, failure, O_CLOEXEC) < 0 ||
        ::close_range(failure + 1, ~0U, 0) != 0)
        give_up(report < 0 ? plan.failure : report, Step::descriptors);
    return failure;
}

void set_signals(int failure) {
    struct sigaction usual {};
    usual.sa_handler = SIG_DFL;
    // Some cannot be set: the kernel's two, and glibc's own, which never are ignored.
    for (int number = 1; number < NSIG; ++number)
        ::sigaction(number, &usual, nullptr);
    sigset_t none;
    sigemptyset(&none);
    if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0) give_up(failure, Step::signals);
}

void become(const ProgramUser& user, int failure) {
    if (::syscall(SYS_setgroups, user.groups.size(), user.groups.data()) != 0 ||
        ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) != 0)
        give_up(failure, Step::groups);
    if (::syscall(SYS_setresuid, user.uid, user.uid, user.uid) != 0) give_up(failure, Step::user);
}

[[noreturn]] void run_child(const Plan& plan) {
    const int failure = set_descriptors(plan);
    if (::setsid() < 0) give_up(failure, Step::session);
    if (plan.change_user) become(*plan.user, failure);
    // Not before: a change of user clears the first.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        give_up(failure, Step::privileges);
    if (::getppid() != plan.parent) ::_exit(127);
    ::umask(022);
    if (::chdir("/") != 0) give_up(failure, Step::folder);
    set_signals(failure);
    ::execve(plan.arguments[0], plan.arguments.data(), plan.environment.data());
    give_up(failure, Step::execute);
}

// ---- in the parent ----

// Without signals: the child must not run a handler of ours before it has set its own.
pid_t fork_child(const Plan& plan) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = ::fork();
    if (pid == 0) run_child(plan);
    const int code = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = code;
    return pid;
}

}  // namespace

Result<ProgramPipe> make_program_pipe() {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failure(Error::system("make a pipe", errno));
    ProgramPipe pipe{Descriptor(ends[0]), Descriptor(ends[1])};
    if (::fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
        return failure(Error::system("make a pipe", errno));
    return pipe;
}

void Process::kill_group() const {
    if (helped) {
        ::shutdown(pidfd.get(), SHUT_WR);
        return;
    }
    ::kill(-pid, SIGKILL);
    // It may not have made its group yet.
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
}

bool Process::has_ended() const {
    if (helped) {
        pollfd polled{pidfd.get(), POLLIN, 0};
        return ::poll(&polled, 1, 0) > 0;
    }
    siginfo_t info{};
    const int flags = WEXITED | WNOHANG | WNOWAIT;
    return ::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, flags) != 0
               ? errno != EINTR && errno != EAGAIN
               : info.si_pid != 0;
}

std::optional<ProcessEnd> Process::reap() const {
    if (helped) return receive_end(pidfd.get());
    siginfo_t info{};
    if (::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED | WNOHANG) != 0)
        return errno == EINTR || errno == EAGAIN ? std::nullopt : std::optional(ProcessEnd{});
    if (info.si_pid == 0) return std::nullopt;
    if (info.si_code == CLD_EXITED) return ProcessEnd{info.si_status, 0};
    return ProcessEnd{std::nullopt, info.si_status};
}

std::optional<Error> Process::start_failure() const {
    ChildFailure what{};
    if (::read(failure.get(), &what, sizeof what) != static_cast<ssize_t>(sizeof what))
        return std::nullopt;
    return Error::system(std::string("cannot ") + words_of(what.step), what.code);
}

Result<Process> fork_program(const ProgramPlan& program) {
    const bool root = ::geteuid() == 0;
    if (!root && program.user.uid != ::geteuid())
        return failure("only root can run a program as \"" + program.user.name +
                       "\", and this daemon is not root");
    const Descriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null) return failure(Error::system("/dev/null", errno));
    Process process;
    const Plan plan{pointers_to(program.command),
                    pointers_to(program.environment),
                    &program.user,
                    root,
                    ::getpid(),
                    null.get(),
                    program.output,
                    program.failure};
    process.pid = fork_child(plan);
    if (process.pid < 0) return failure(Error::system("fork", errno));
    // By the call itself: the header of glibc 2.36 does not let C++ link its own.
    process.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
    if (!process.pidfd) {
        const int code = errno;
        ::kill(process.pid, SIGKILL);
        ::waitpid(process.pid, nullptr, 0);  // short: it is ours, and killed
        return failure(Error::system("watch the program", code));
    }
    return process;
}

Result<Process> start_process(const std::vector<std::string>& command,
                              const std::vector<std::string>& environment,
                              const ProgramUser& user) {
    if (!helper_socket().empty()) return start_by_helper(command, environment, user);
    auto output = make_program_pipe();
    auto report = make_program_pipe();
    if (!output) return failure(std::move(output).error());
    if (!report) return failure(std::move(report).error());
    auto process = fork_program({command, environment, user, output->to.get(), report->to.get()});
    if (!process) return process;
    process->output = std::move(output->from);
    process->failure = std::move(report->from);
    return process;
}

}  // namespace bascule::health
