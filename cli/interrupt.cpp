// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace bascule::cli {

namespace {

volatile std::sig_atomic_t interrupted = 0;

void on_signal(int signal) {
    interrupted = signal;
}

}  // namespace

InterruptCatch::InterruptCatch() {
    interrupted = 0;
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        ::sigaction(signal, &action, nullptr);
}

InterruptCatch::~InterruptCatch() {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        std::signal(signal, SIG_DFL);
}

int InterruptCatch::caught() const {
    return interrupted;
}

}  // namespace bascule::cli
