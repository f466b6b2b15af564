// SPDX-License-Identifier: Apache-2.0
#include "node/epoch_file.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "node/files.h"

namespace bascule::node {

namespace {

constexpr std::size_t most_bytes = 64;

}  // namespace

EpochFile EpochFile::open(std::string path) {
    EpochFile file(std::move(path));
    auto ceiling = file.read();
    file.floor_ = file.ceiling_ = ceiling.value_or(0);
    std::string broken;
    if (!ceiling)
        broken = file.path_ + ": " + ceiling.error().text() +
                 "; epochs begin anew, above what peers tell";
    (void)file.reserve(file.floor_ + block / 2 + 1);
    if (!broken.empty()) file.warning_ = std::move(broken);
    return file;
}

Result<sync::Epoch> EpochFile::read() const {
    const auto text = read_small_file(path_, most_bytes);
    if (!text) return failure(text.error());
    if (!*text) return sync::Epoch{0};
    sync::Epoch ceiling = 0;
    const char* const end = (*text)->data() + (*text)->size();
    const auto [at, error] = std::from_chars((*text)->data(), end, ceiling);
    if (error != std::errc() || std::string_view(at, end) != "\n" || ceiling > sync::most_epoch)
        return failure("is not a number of epochs");
    return ceiling;
}

Result<void> EpochFile::reserve(sync::Epoch highest) {
    highest = std::min(highest, sync::most_epoch);
    if (highest + block / 2 <= ceiling_ || ceiling_ == sync::most_epoch) return {};
    const auto now = std::chrono::steady_clock::now();
    if (now < not_before_) return {};
    const sync::Epoch ceiling = std::min(highest + block, sync::most_epoch);
    auto written = write_file_whole(path_, std::to_string(ceiling) + "\n", 0600);
    warning_.clear();
    if (!written) {
        not_before_ = now + retry_time;
        warning_ = "epochs are not kept, and after a restart begin above what peers tell: " +
                   written.error().text();
        return failure(warning_);
    }
    ceiling_ = ceiling;
    return {};
}

}  // namespace bascule::node
