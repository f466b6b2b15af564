// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mapping.h"

#include <sys/mman.h>

#include <cerrno>
#include <utility>

namespace bascule::dataplane {

// The kernel wants whole pages, and rounds up itself when it is given the exact length.
Result<Mapping> Mapping::of_map(int fd, std::size_t bytes) {
    Mapping mapping;
    void* address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED) return failure(Error::system("map its memory", errno));
    mapping.address_ = address;
    mapping.bytes_ = bytes;
    return mapping;
}

Mapping::Mapping(Mapping&& other) noexcept
    : address_(std::exchange(other.address_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
    std::swap(address_, other.address_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

Mapping::~Mapping() {
    if (address_ != nullptr) ::munmap(address_, bytes_);
}

}  // namespace bascule::dataplane
