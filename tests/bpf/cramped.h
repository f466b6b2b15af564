/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sizes that cramped.bpf.c and its users share. */
#ifndef BASCULE_TESTS_CRAMPED_H
#define BASCULE_TESTS_CRAMPED_H

#define CRAMPED_FRAME_BYTES 128 /* of every frame, no more and no less */
#define CRAMPED_BY 208          /* of the 216 bytes before it that can be had */

#endif
