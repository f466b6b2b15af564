// SPDX-License-Identifier: Apache-2.0
#include "control/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "control/framing.h"

namespace bascule::control {

namespace {

// poll() counts milliseconds in an int; a longer wait is made of several.
constexpr Client::Timeout kLongestPoll{60'000};

NoAnswer cannot_connect(const std::string& path, int code) {
    NoAnswer result;
    if (code == EACCES || code == EPERM) {
        result.why = NoAnswer::Why::forbidden;
    } else if (code == EAGAIN) {
        // A full queue of connections: the daemon lives, and takes none out of it.
        result.why = NoAnswer::Why::silent;
    }
    result.text = Error::system(fmt::format("no daemon answers on {}", path), code).text();
    return result;
}

}  // namespace

tl::expected<Client, NoAnswer> Client::connect(const std::string& path, Timeout timeout) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) {
        return tl::unexpected(cannot_connect(path, ENAMETOOLONG));
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return tl::unexpected(cannot_connect(path, errno));
    Client client(fd, path, timeout);
    // On a Unix socket this ends at once, one way or the other.
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        return tl::unexpected(cannot_connect(path, errno));
    }
    return client;
}

Client::Client(int socket, std::string path, Timeout timeout)
    : socket_(socket), path_(std::move(path)), timeout_(timeout) {}

Client::Client(Client&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      path_(std::move(other.path_)),
      timeout_(other.timeout_) {}

Client& Client::operator=(Client&& other) noexcept {
    std::swap(socket_, other.socket_);
    std::swap(path_, other.path_);
    std::swap(timeout_, other.timeout_);
    return *this;
}

Client::~Client() {
    if (socket_ >= 0) ::close(socket_);
}

tl::expected<Response, NoAnswer> Client::ask(const Request& request) {
    Moment end = std::chrono::steady_clock::now() + timeout_;
    auto bytes = encode(request);
    if (!bytes) return tl::unexpected(broken(bytes.error().text()));
    if (auto sent = send(*bytes, end); !sent) return tl::unexpected(sent.error());
    return receive(end);
}

tl::expected<void, NoAnswer> Client::send(const std::string& bytes, Moment end) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        ssize_t n = ::send(socket_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
        if (n >= 0) {
            done += static_cast<std::size_t>(n);
            continue;
        }
        // A daemon that turns a client away answers without reading: the answer is waiting.
        if (errno == EPIPE || errno == ECONNRESET) return {};
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return tl::unexpected(broken(std::strerror(errno)));
        if (auto ready = wait(POLLOUT, end); !ready) return ready;
    }
    return {};
}

tl::expected<Response, NoAnswer> Client::receive(Moment end) {
    FrameReader reader(kMostAnswerBytes);
    std::array<char, 65536> chunk;
    for (;;) {
        auto body = reader.next();
        if (!body) return tl::unexpected(broken(body.error().text()));
        if (body->has_value()) {
            auto response = decode_response(**body);
            if (!response) return tl::unexpected(broken(response.error().text()));
            return *std::move(response);
        }
        ssize_t n = ::recv(socket_, chunk.data(), chunk.size(), 0);
        if (n > 0) {
            reader.push({chunk.data(), static_cast<std::size_t>(n)});
        } else if (n == 0) {
            return tl::unexpected(broken("it closed the connection without an answer"));
        } else if (errno == EAGAIN) {
            if (auto ready = wait(POLLIN, end); !ready) return tl::unexpected(ready.error());
        } else if (errno != EINTR) {
            return tl::unexpected(broken(std::strerror(errno)));
        }
    }
}

tl::expected<void, NoAnswer> Client::wait(short events, Moment end) const {
    using std::chrono::ceil;
    for (;;) {
        auto left = ceil<Timeout>(end - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            double seconds = std::chrono::duration<double>(timeout_).count();
            return tl::unexpected(NoAnswer{
                NoAnswer::Why::silent,
                fmt::format("the daemon on {} did not answer within {:.3g} s", path_, seconds)});
        }
        pollfd entry{socket_, events, 0};
        int n = ::poll(&entry, 1, static_cast<int>(std::min(left, kLongestPoll).count()));
        if (n > 0) return {};
        if (n < 0 && errno != EINTR) return tl::unexpected(broken(std::strerror(errno)));
    }
}

NoAnswer Client::broken(const std::string& what) const {
    return {NoAnswer::Why::broken, fmt::format("the daemon on {} gave no answer: {}", path_, what)};
}

}  // namespace bascule::control
