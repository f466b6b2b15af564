// SPDX-License-Identifier: Apache-2.0
// TLS of probes: contexts, shared by targets of the same settings, and the wire through one.
//
// Thread: that of the io_context. No session is kept or resumed: each probe sees the certificate.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "base/result.h"
#include "health/file_stamp.h"
#include "health/wire.h"
#include "model/config.h"

namespace bascule::health {

class TlsContext {
public:
    // Error: the file that cannot be used, and why. Reads files.
    static Result<std::shared_ptr<TlsContext>> make(const model::HealthConfig& options);

    // For a connection that is open longer than the wire, by the options it was made for.
    std::unique_ptr<Wire> make_wire(int fd, const model::HealthConfig& options);

private:
    struct Free {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };

    std::unique_ptr<SSL_CTX, Free> context_;
};

// Part of ProbeResources.
class TlsContexts {
public:
    explicit TlsContexts(boost::asio::io_context&) {}

    Result<std::shared_ptr<TlsContext>> get(const model::HealthConfig& options);

private:
    // ca, certificate, key, and what they were when they were read: what has been renewed since is
    // read anew, though targets may still hold what it was before.
    using Files = std::tuple<std::string, std::string, std::string, FileStamps>;

    std::map<Files, std::weak_ptr<TlsContext>> contexts_;
};

}  // namespace bascule::health
