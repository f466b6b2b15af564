# SPDX-License-Identifier: Apache-2.0
"""An XDP program that passes everything, loaded without a compiler: two instructions.

A veth takes back what XDP sends through it (XDP_TX) only while its peer has an XDP program, too:
with GRO alone the peer has the ring, but the frames wait in it until something else wakes it.
"""

import ctypes
import os
import struct

SYS_BPF = 321  # amd64
PROG_LOAD, OBJ_PIN = 5, 6
PROG_TYPE_XDP = 6
# r0 = XDP_PASS; exit
INSTRUCTIONS = struct.pack("<BBhi", 0xb7, 0, 0, 2) + struct.pack("<BBhi", 0x95, 0, 0, 0)

_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command, attributes, what):
    data = ctypes.create_string_buffer(attributes, 128)
    result = _libc.syscall(SYS_BPF, command, data, len(data))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def pin(path, name="pass_all"):
    """Loads the program and pins it at `path`, which is in a bpffs."""
    code = ctypes.create_string_buffer(INSTRUCTIONS, len(INSTRUCTIONS))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("=IIQQIIQII", PROG_TYPE_XDP, len(INSTRUCTIONS) // 8,
                             ctypes.addressof(code), ctypes.addressof(licence), 0, 0, 0, 0, 0)
    program = _bpf(PROG_LOAD, attributes + name.encode().ljust(16, b"\0"), "load an XDP program")
    place = ctypes.create_string_buffer(str(path).encode())
    try:
        _bpf(OBJ_PIN, struct.pack("=QII", ctypes.addressof(place), program, 0), f"pin {path}")
    finally:
        os.close(program)
