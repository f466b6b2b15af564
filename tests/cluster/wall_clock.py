# SPDX-License-Identifier: Apache-2.0
"""A wall clock of its own for one process, which can be set while it runs.

A small library, built when it is first asked for and loaded ahead of all others (LD_PRELOAD), adds
what a file says to every reading of the wall clock. Monotonic clocks stay true: as on a real
machine, where only the wall clock is ever set.
"""

import struct

from host import checked

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t* ahead;  // nanoseconds
static int (*real)(clockid_t, struct timespec*);

__attribute__((constructor)) static void begin(void) {
    real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
    const char* path = getenv("WALL_CLOCK_AHEAD");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void* at = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (file < 0 || at == MAP_FAILED) abort();
    close(file);
    ahead = at;
}

int clock_gettime(clockid_t id, struct timespec* out) {
    if (!real) begin();
    int status = real(id, out);
    if (status == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        int64_t now = (int64_t)out->tv_sec * 1000000000 + out->tv_nsec + *ahead;
        out->tv_sec = now / 1000000000;
        out->tv_nsec = now % 1000000000;
    }
    return status;
}

int gettimeofday(struct timeval* out, void* zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t* out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"""


class WallClock:
    """`wrapper` goes before the command whose clock it is."""

    def __init__(self, lab, name):
        library = lab.directory / "wall_clock.so"
        if not library.exists():
            source = library.with_suffix(".c")
            source.write_text(SOURCE)
            checked(["gcc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source])
        self._file = lab.directory / f"wall_clock-{name}"
        self._file.write_bytes(bytes(8))
        self.wrapper = ["env", f"LD_PRELOAD={library}", f"WALL_CLOCK_AHEAD={self._file}"]

    def set_ahead(self, seconds):
        """From now on the clock is that much ahead of the machine's; negative: behind."""
        with open(self._file, "r+b") as file:
            file.write(struct.pack("=q", int(seconds * 1e9)))
