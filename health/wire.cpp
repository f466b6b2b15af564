// SPDX-License-Identifier: Apache-2.0
#include "health/wire.h"

#include <sys/socket.h>

#include <cerrno>

namespace bascule::health {

namespace {

Step failed(Step::Kind again) {
    if (errno == EAGAIN || errno == EINTR) return {.kind = again};
    return {.kind = Step::broken, .error = errno};
}

}  // namespace

Step PlainWire::read(std::span<char> into) {
    const ssize_t count = ::recv(fd_, into.data(), into.size(), 0);
    if (count < 0) return failed(Step::want_read);
    if (count == 0) return {.kind = Step::ended};
    return {.count = static_cast<std::size_t>(count)};
}

Step PlainWire::write(std::string_view bytes) {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) return failed(Step::want_write);
    return {.count = static_cast<std::size_t>(count)};
}

}  // namespace bascule::health
