/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What user space asks of clock.bpf.c. */
#ifndef BASCULE_BPF_CLOCK_H
#define BASCULE_BPF_CLOCK_H

#include "contract.h"

struct bsc_clock {
    __u64 jiffies; /* out */
};
BSC_ASSERT(sizeof(struct bsc_clock) == 8, "bsc_clock");

#endif
