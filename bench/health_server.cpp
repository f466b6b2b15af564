// SPDX-License-Identifier: Apache-2.0
#include "bench/health_server.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string_view>

namespace bascule::bench {
namespace {

constexpr std::string_view answer =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: "
    "close\r\n\r\nok\n";

int listen_on(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(port);
    if (bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) != 0 || listen(fd, 4096) != 0) {
        std::perror("health_bench: the server cannot listen");
        return -1;
    }
    return fd;
}

void watch(int poll, int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
}

void respond(int fd) {
    std::array<char, 2048> request;
    if (recv(fd, request.data(), request.size(), 0) > 0)
        (void)!send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
    close(fd);
}

}  // namespace

int serve(std::uint16_t tcp_port, std::uint16_t http_port) {
    const int tcp = listen_on(tcp_port), http = listen_on(http_port);
    const int poll = epoll_create1(EPOLL_CLOEXEC);
    if (tcp < 0 || http < 0 || poll < 0) return 1;
    watch(poll, tcp);
    watch(poll, http);
    for (;;) {
        std::array<epoll_event, 256> events;
        const int count = epoll_wait(poll, events.data(), events.size(), -1);
        for (int i = 0; i < count; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (fd != tcp && fd != http) {
                respond(fd);
                continue;
            }
            for (int client = 0;
                 (client = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
                if (fd == http) {
                    watch(poll, client);
                } else {
                    close(client);
                }
            }
        }
    }
}

}  // namespace bascule::bench
