#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A node of another release, made by hand: it shares no line with the product, only what is on the
wire (sync/gossip.proto, sync/seal.h). What it says can be of a later release: numbers of fields,
kinds of messages and versions that nobody knows yet.

    foreign_node.py OPTIONS     (JSON, see Options; what happens is told as JSON, a line each)

It sends heartbeats on every path, and connects to one node by TLS 1.3 with the cluster's key, as
the node with the lesser name does.
"""

import ctypes
import hashlib
import hmac
import json
import os
import select
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, field

PORT = 7400
INTERVAL = 0.02
HEADER, TAG = 32, 16
HELLO, BATCH, PING, PONG, BYE = 1, 2, 13, 14, 15  # kinds of StreamMessage
UNKNOWN_FIELD, UNKNOWN_KIND = 1999, 1998
TLS1_3, AES_256_GCM_SHA384 = 0x0304, b"\x13\x02"

_crypto = ctypes.CDLL("libcrypto.so.3")
_ssl = ctypes.CDLL("libssl.so.3")


@dataclass
class Options:
    key: str = ""
    cluster: str = ""
    name: str = ""
    peer: str = ""
    own: list = field(default_factory=list)    # addresses, by path
    peers: list = field(default_factory=list)
    version: int = 1
    needs: int = 1
    stream: bool = True
    strange: bool = False   # adds fields and messages that nobody knows
    slow: bool = False      # reads a byte a second, once hello is said
    seconds: float = 10


def tell(**what):
    print(json.dumps(what), flush=True)


# ---- protobuf ----


def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def message(**fields):
    """`f1=…`: numbers become varints, Fixed fixed64, bytes themselves; a list is repeated."""
    out = b""
    for name, values in fields.items():
        number = int(name[1:])
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, Fixed):
                out += varint(number << 3 | 1) + struct.pack("<Q", value)
            elif isinstance(value, bytes):
                out += varint(number << 3 | 2) + varint(len(value)) + value
            else:
                out += varint(number << 3) + varint(value)
    return out


class Fixed(int):
    """A fixed64."""


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields_of(data):
    """Number of a field → its values, raw."""
    found, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = read_varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = int.from_bytes(data[at:at + size], "little"), at + size
        else:
            size, at = read_varint(data, at)
            value, at = data[at:at + size], at + size
        found.setdefault(tag >> 3, []).append(value)
    return found


# ---- secrets ----


def joined(*parts):
    return b"".join(struct.pack("!I", len(part)) + part for part in parts)


def derived(key, *use):
    """HKDF-SHA256 without salt (RFC 5869), 32 bytes."""
    middle = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(middle, joined(*use) + b"\x01", "sha256")


def gcm(key, nonce, clear, data, seal):
    """AES-256-GCM by OpenSSL. None: not authentic."""
    _crypto.EVP_CIPHER_CTX_new.restype = _crypto.EVP_aes_256_gcm.restype = ctypes.c_void_p
    context = ctypes.c_void_p(_crypto.EVP_CIPHER_CTX_new())
    cipher = ctypes.c_void_p(_crypto.EVP_aes_256_gcm())
    text, tag = (data, bytes(TAG)) if seal else (data[:-TAG], data[-TAG:])
    out, size = ctypes.create_string_buffer(len(text) + TAG), ctypes.c_int()
    tag = ctypes.create_string_buffer(tag, TAG)
    try:
        _crypto.EVP_CipherInit_ex(context, cipher, None, key, nonce, int(seal))
        if not seal:
            _crypto.EVP_CIPHER_CTX_ctrl(context, 0x11, TAG, tag)
        _crypto.EVP_CipherUpdate(context, None, ctypes.byref(size), clear, len(clear))
        _crypto.EVP_CipherUpdate(context, out, ctypes.byref(size), text, len(text))
        if _crypto.EVP_CipherFinal_ex(context, out, ctypes.byref(size)) != 1:
            return None
        if seal:
            _crypto.EVP_CIPHER_CTX_ctrl(context, 0x10, TAG, tag)
            return out.raw[:len(text)] + tag.raw
        return out.raw[:len(text)]
    finally:
        _crypto.EVP_CIPHER_CTX_free(context)


class Secrets:
    def __init__(self, options):
        self.key, self.cluster = bytes.fromhex(options.key), options.cluster.encode()
        self.name, self.peer = options.name.encode(), options.peer.encode()
        self.own = derived(self.key, b"bascule/1 heartbeat", self.cluster, self.name)
        self.theirs = derived(self.key, b"bascule/1 heartbeat", self.cluster, self.peer)
        self.stream = derived(self.key, b"bascule/1 stream", self.cluster,
                              *sorted((self.name, self.peer)))
        self.key_id = derived(self.key, b"bascule/1 key id")[:4]
        cluster_id = hashlib.sha256(joined(b"bascule/1 cluster", self.cluster)).digest()[:4]
        self.head = (b"BSC\x01" + cluster_id + self.key_id
                     + hashlib.sha256(self.name).digest()[:8])
        self._salt, self._count = os.urandom(8), 0

    def seal(self, plain):
        self._count += 1
        nonce = self._salt + struct.pack("!I", self._count)
        clear = self.head + nonce
        return clear + gcm(self.own, nonce, clear, plain, True)

    def open(self, datagram):
        return gcm(self.theirs, datagram[20:32], datagram[:HEADER], datagram[HEADER:], False)


# ---- heartbeats ----


class Heart(threading.Thread):
    def __init__(self, options, secrets, incarnation):
        super().__init__(daemon=True)
        self._options, self._secrets, self._incarnation = options, secrets, incarnation
        self._plugs = []
        for own, peer in zip(options.own, options.peers):
            plug = socket.socket(socket.AF_INET6 if ":" in own else socket.AF_INET,
                                 socket.SOCK_DGRAM)
            plug.bind((own, PORT))
            plug.connect((peer, PORT))
            self._plugs.append(plug)
        self._heard = [None] * len(self._plugs)  # (incarnation, sequence, sent, when) of the last
        self._closed = [False] * len(self._plugs)

    def run(self):
        sequence = 0
        while True:
            sequence += 1
            for path, plug in enumerate(self._plugs):
                try:
                    plug.send(self._secrets.seal(self._beat(path, sequence)))
                except OSError:
                    pass  # nobody listens there yet
            until = time.monotonic() + INTERVAL
            while (left := until - time.monotonic()) > 0:
                for plug in select.select(self._plugs, [], [], left)[0]:
                    self._hear(self._plugs.index(plug), plug)

    def _beat(self, path, sequence):
        options, echoes = self._options, []
        if self._heard[path] is not None:
            incarnation, theirs, sent, when = self._heard[path]
            echoes = [message(f1=Fixed(incarnation), f2=theirs, f3=sent,
                              f4=time.monotonic_ns() - when)]
        facts = message(f1=1, f2=1, f3=1, f9=b"9.9.9")
        if options.strange:
            facts += message(**{f"f{UNKNOWN_FIELD}": b"who knows"})
        beat = message(f1=options.version, f2=options.needs, f3=options.name.encode(),
                       f4=options.peer.encode(), f5=Fixed(self._incarnation), f6=sequence,
                       f7=time.monotonic_ns(), f8=int(time.time() * 1000), f9=echoes, f10=0, f11=1,
                       f12=facts, f13=path)
        if options.strange:
            beat += message(**{f"f{UNKNOWN_FIELD}": [7, b"later"]})
        return beat

    def _hear(self, path, plug):
        try:
            plain = self._secrets.open(plug.recv(2000))
        except OSError:
            return
        if plain is None:
            if not self._closed[path]:
                tell(event="not opened", path=path)
            self._closed[path] = True
            return
        heard = fields_of(plain)
        if self._heard[path] is None:
            tell(event="heard", path=path, node=heard[3][0].decode(), version=heard[1][0])
        self._heard[path] = (heard[5][0], heard[6][0], heard[7][0], time.monotonic_ns())


# ---- the stream ----

USE_PSK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
                           ctypes.POINTER(ctypes.c_char_p), ctypes.POINTER(ctypes.c_size_t),
                           ctypes.POINTER(ctypes.c_void_p))


class Stream:
    def __init__(self, options, secrets, incarnation):
        self._options, self._secrets, self._incarnation = options, secrets, incarnation
        for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new", "SSL_SESSION_new",
                     "SSL_CIPHER_find"):
            getattr(_ssl, name).restype = ctypes.c_void_p
        self._identity = "/".join(["bascule/1", options.cluster, options.name,
                                   secrets.key_id.hex()]).encode()
        self._use = USE_PSK(self._offer)  # lives as long as the connection
        self._plug = socket.socket()
        self._plug.bind((options.own[0], 0))
        self._plug.settimeout(None)
        self._plug.connect((options.peers[0], PORT))
        self._context = ctypes.c_void_p(_ssl.SSL_CTX_new(ctypes.c_void_p(_ssl.TLS_client_method())))
        _ssl.SSL_CTX_set_ciphersuites(self._context, b"TLS_AES_256_GCM_SHA384")
        _ssl.SSL_CTX_set_psk_use_session_callback(self._context, self._use)
        self._tls = ctypes.c_void_p(_ssl.SSL_new(self._context))
        _ssl.SSL_set_fd(self._tls, self._plug.fileno())
        if _ssl.SSL_connect(self._tls) != 1:
            raise ConnectionError("the TLS handshake failed")
        self._buffer = b""

    def _offer(self, tls, _digest, identity, size, session):
        made = ctypes.c_void_p(_ssl.SSL_SESSION_new())
        cipher = ctypes.c_void_p(_ssl.SSL_CIPHER_find(ctypes.c_void_p(tls), AES_256_GCM_SHA384))
        secret = self._secrets.stream
        fine = (_ssl.SSL_SESSION_set1_master_key(made, secret, len(secret)) == 1
                and _ssl.SSL_SESSION_set_cipher(made, cipher) == 1
                and _ssl.SSL_SESSION_set_protocol_version(made, TLS1_3) == 1)
        identity[0], size[0], session[0] = self._identity, len(self._identity), made.value
        return int(fine)

    def send(self, kind, body):
        data = message(**{f"f{kind}": body})
        data = struct.pack("!I", len(data)) + data
        if _ssl.SSL_write(self._tls, data, len(data)) != len(data):
            raise ConnectionError("the stream broke while it was written to")

    def hello(self):
        options = self._options
        body = message(f1=options.version, f2=options.needs, f3=options.cluster.encode(),
                       f4=options.name.encode(), f5=Fixed(self._incarnation), f6=b"9.9.9",
                       f9=int(time.monotonic()), f10=int(time.monotonic()))
        if options.strange:
            body += message(**{f"f{UNKNOWN_FIELD}": [b"later", 5]})
        self.send(HELLO, body)

    def _read(self, size):
        while len(self._buffer) < size:
            data = ctypes.create_string_buffer(65536)
            got = _ssl.SSL_read(self._tls, data, len(data))
            if got <= 0:
                raise ConnectionError("the stream was closed")
            self._buffer += data.raw[:got]
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def receive(self):
        """(kind, body) of the next message."""
        size = struct.unpack("!I", self._read(4))[0]
        found = fields_of(self._read(size))
        kind = next(iter(found))
        return kind, found[kind][0]

    def read_slowly(self, until):
        """What comes is not even decrypted: a byte of it is taken each second."""
        self._plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self._plug.settimeout(1)
        taken = 0
        while time.monotonic() < until:
            try:
                if not self._plug.recv(1):
                    tell(event="closed", taken=taken)
                    return
                taken += 1
                time.sleep(1)
            except TimeoutError:
                pass
            except OSError as error:
                tell(event="closed", taken=taken, why=str(error))
                return


def converse(options, stream, until):
    stream.hello()
    pinged = False
    while time.monotonic() < until:
        kind, body = stream.receive()
        found = fields_of(body)
        if kind == HELLO:
            tell(event="hello", version=found[1][0], node=found[4][0].decode())
            if options.slow:
                stream.read_slowly(until)
                return
            if options.strange:
                stream.send(UNKNOWN_KIND, b"\x08\x01")
            stream.send(PING, message(f1=Fixed(4711)))
        elif kind == PING:
            stream.send(PONG, body)
        elif kind == PONG and not pinged:
            pinged = True
            tell(event="pong", token=found[1][0])
        elif kind == BYE:
            tell(event="bye", why=found.get(1, [b""])[0].decode())
        elif kind == BATCH:
            answer_batch(options, stream, found)


def answer_batch(options, stream, found):
    """Tells of the same sessions again, as if they had come from other ports: with what the product
    has told, a made-up session can be told of without knowing how it names its servers."""
    records = fields_of(found[4][0])
    ports = records[7][0]
    tell(event="batch", number=found[1][0], records=len(ports) // 2)
    if 7 not in records or getattr(options, "told", False):
        return
    options.told = True
    changed = [struct.unpack_from("!H", ports, at)[0] ^ 0x4000 for at in range(0, len(ports), 2)]
    again = b""
    for number, values in records.items():
        for value in values:
            if number == 7:
                value = struct.pack(f"!{len(changed)}H", *changed)
            elif not isinstance(value, bytes):
                raise ValueError(f"field {number} of the records is not packed")
            again += message(**{f"f{number}": value})
    if options.strange:
        again += message(**{f"f{UNKNOWN_FIELD}": b"a column of a later release"})
    stream.send(BATCH, message(f1=1, f2=found.get(2, [0])[0], f3=time.monotonic_ns(), f4=again))
    tell(event="told", ports=changed)


def main():
    options = Options(**json.loads(sys.argv[1]))
    until = time.monotonic() + options.seconds
    secrets = Secrets(options)
    incarnation = int.from_bytes(os.urandom(8), "little") or 1
    Heart(options, secrets, incarnation).start()
    while options.stream and time.monotonic() < until:
        try:
            converse(options, Stream(options, secrets, incarnation), until)
        except OSError as error:
            tell(event="stream", why=str(error))
        time.sleep(0.5)
    time.sleep(max(0, until - time.monotonic()))


if __name__ == "__main__":
    main()
