// SPDX-License-Identifier: Apache-2.0
#include "bench/child.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

namespace bascule::bench {

Result<Child> Child::start(const std::function<int()>& work) {
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) return failure(Error::system("fork", errno));
    if (pid > 0) return Child(pid);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // It may have died before that.
    if (getppid() != parent) _exit(1);
    _exit(work());
}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}

Child::~Child() {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    wait();
}

int Child::wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace bascule::bench
