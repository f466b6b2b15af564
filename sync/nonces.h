// SPDX-License-Identifier: Apache-2.0
// Nonces of one key, none twice: 8 random bytes, and a count of 4 bytes (big endian) behind them.
// When the count is used up, and in every run, the random bytes are others: two runs of a node seal
// by the same key.
#pragma once

#include <cstdint>

#include "sync/gcm.h"

namespace bascule::sync {

class Nonces {
public:
    // `count`: of the first one. std::system_error: the kernel gives no random bytes; next(), too.
    explicit Nonces(std::uint32_t count = 0);
    GcmNonce next();

private:
    void draw_salt();

    GcmNonce nonce_{};
    std::uint32_t count_;
    bool used_up_ = false;
};

}  // namespace bascule::sync
