// SPDX-License-Identifier: Apache-2.0
#include "sync/nonces.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace bascule::sync {
namespace {

constexpr std::size_t salt_size = 8;

}  // namespace

Nonces::Nonces(std::uint32_t count) : count_(count) {
    draw_salt();
}

GcmNonce Nonces::next() {
    if (used_up_) draw_salt();
    for (std::size_t i = 0; i < nonce_.size() - salt_size; ++i)
        nonce_[salt_size + i] = static_cast<std::uint8_t>(count_ >> (24 - 8 * i));
    used_up_ = ++count_ == 0;
    return nonce_;
}

void Nonces::draw_salt() {
    if (::getentropy(nonce_.data(), salt_size) != 0)
        throw std::system_error(errno, std::generic_category(), "getentropy");
    used_up_ = false;
}

}  // namespace bascule::sync
