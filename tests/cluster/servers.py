# SPDX-License-Identifier: Apache-2.0
"""The real servers of a lab: nginx for HTTP, and a small UDP server that tells who answers.

Run as a program, this file is that UDP server: `servers.py NAME=PORT[,NAME=PORT…] ADDRESS…`.
"""

import os
import resource
import selectors
import socket
import sys

SO_RCVBUFFORCE = 33  # beyond net.core.rmem_max, which a namespace cannot set

# The client builds the same text from the headers and compares the whole body.
BODY_PADDING = "0123456789abcdef" * 24
# What every server has at /large: no two lines are equal, so that nothing misplaced goes unseen.
LARGE_PAGE = "".join(f"line {number:08}\n" for number in range(1, 18001)).encode()
SLOW_RATE = 16384   # bytes a second of /slow, which is the same page
MOST_BYTES = 65535  # of a datagram

NGINX = """\
user root;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log warn;
events {{
    worker_connections {connections};
    multi_accept on;
}}
http {{
    access_log off;
    default_type text/plain;
    keepalive_timeout 3600s;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{servers}{more}
}}
"""

SERVER = """\
    server {{
{listen}
        location = /large {{
            root {directory};
        }}
        location = /slow {{
            alias {directory}/large;
            limit_rate {slow_rate};
            add_header X-Backend {name};
            add_header X-Client $remote_addr:$remote_port;
        }}
{pages}        location / {{
            add_header X-Backend {name};
            add_header X-Client $remote_addr:$remote_port;
            return 200 "served by {name} for $remote_addr:$remote_port\\n{padding}\\n";
        }}
    }}
"""


def nginx_config(servers, directory, addresses, pages="", more=""):
    """Text of an nginx.conf for servers, name → port, that listen on the given addresses only.

    `pages`: further locations of each; `more`: further servers.
    """
    text = ""
    for name, port in servers.items():
        listen = ""
        for address in addresses:
            place = f"[{address}]:{port} ipv6only=on" if ":" in address else f"{address}:{port}"
            listen += f"        listen {place} backlog=8192;\n"
        text += SERVER.format(name=name, directory=directory, listen=listen, padding=BODY_PADDING,
                              pages=pages, slow_rate=SLOW_RATE)
    # As many as this machine's limit on open files lets it have, without asking for more.
    connections = min(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[0]) - 32
    return NGINX.format(directory=directory, servers=text, more=more,
                        connections=connections)


def udp_servers(servers, addresses):
    """Answers every datagram with "NAME CLIENT:PORT " and what it said, from the VIP itself."""
    selector = selectors.DefaultSelector()
    for name, port in servers.items():
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            server = socket.socket(family, socket.SOCK_DGRAM)
            server.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
            server.setblocking(False)
            server.bind((address, port))
            selector.register(server, selectors.EVENT_READ, name)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            try:
                data, client = key.fileobj.recvfrom(MOST_BYTES)
                told = f"{key.data} {client[0]}:{client[1]} ".encode()
                key.fileobj.sendto(told + data, client)
            except OSError as error:
                print(error, file=sys.stderr, flush=True)


def named_ports(text):
    """"NAME=PORT,NAME=PORT" as name → port."""
    pairs = (pair.split("=") for pair in text.split(","))
    return {name: int(port) for name, port in pairs}


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(f"usage: {os.path.basename(__file__)} NAME=PORT[,NAME=PORT…] ADDRESS…")
    udp_servers(named_ports(sys.argv[1]), sys.argv[2:])
