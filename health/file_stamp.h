// SPDX-License-Identifier: Apache-2.0
// What files are by now, to tell later whether they were replaced or written: a certificate is
// renewed under the same name. Any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "model/config.h"

namespace bascule::health {

struct FileStamp {
    std::uint64_t device = 0;  // all 0: there is no such file
    std::uint64_t number = 0;
    std::int64_t size = 0;
    std::int64_t written = 0;  // nanoseconds since the epoch
    std::int64_t changed = 0;  // so too its inode

    auto operator<=>(const FileStamp&) const = default;
};
using FileStamps = std::vector<FileStamp>;

// Of the files that a probe of these options reads when it is made: ca, certificate and key, and
// where no CA is named those of the system. Links are followed.
FileStamps stamps_of_files(const model::HealthConfig& options);

}  // namespace bascule::health
