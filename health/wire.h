// SPDX-License-Identifier: Apache-2.0
// Bytes over a connection, plain or through TLS: one step at a time, none of which blocks.
//
// Steps are plain functions, and who waits between them is the probe: so there is one coroutine a
// probe, and buffers live on the stack only while they are used. Thread: that of the probe.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "health/connect.h"
#include "health/outcome.h"

namespace bascule::health {

struct Step {
    enum Kind {
        done,
        want_read,   // again when the socket can be read
        want_write,  // again when it can be written
        ended,       // the server has closed
        broken,      // reset, or unreachable meanwhile; `error` is the errno
        fault,       // what fault() says
    };
    Kind kind = done;
    std::size_t count = 0;  // bytes read or written
    int error = 0;

    bool wants() const { return kind == want_read || kind == want_write; }
    Want want() const { return kind == want_read ? Want::read : Want::write; }
};

class Wire {
public:
    virtual ~Wire() = default;

    // Until done: what has to happen before the first byte.
    virtual Step open() = 0;
    virtual Step read(std::span<char> into) = 0;
    // Of `bytes` the first `count`. Asked again with the same bytes when it wants something.
    virtual Step write(std::string_view bytes) = 0;
    virtual Outcome fault() const = 0;
    virtual std::string warning() const = 0;  // for Outcome::warning; after open()
};

class PlainWire final : public Wire {
public:
    explicit PlainWire(int fd) : fd_(fd) {}

    Step open() override { return {}; }
    Step read(std::span<char> into) override;
    Step write(std::string_view bytes) override;
    Outcome fault() const override { return {}; }
    std::string warning() const override { return {}; }

private:
    int fd_;
};

}  // namespace bascule::health
