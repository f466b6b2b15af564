// SPDX-License-Identifier: Apache-2.0
#include "sync/sequence_window.h"

#include <algorithm>

namespace bascule::sync {

bool SequenceWindow::take(std::uint64_t sequence) {
    constexpr std::uint64_t half = std::uint64_t{1} << 63;
    if (span_ == 0) {
        newest_ = sequence;
        seen_.set();
        span_ = 1;
        return true;
    }
    const std::uint64_t ahead = sequence - newest_;
    if (ahead != 0 && ahead < half) {
        const auto shift = static_cast<std::size_t>(std::min<std::uint64_t>(ahead, size));
        seen_ <<= shift;
        seen_.set(0);
        newest_ = sequence;
        span_ = std::min(span_ + shift, size);
        return true;
    }
    const std::uint64_t back = newest_ - sequence;
    if (back >= size || seen_.test(static_cast<std::size_t>(back))) return false;
    seen_.set(static_cast<std::size_t>(back));
    return true;
}

double SequenceWindow::loss(std::uint64_t overdue) const {
    if (span_ == 0) return 0;
    const auto missing = static_cast<std::size_t>(std::min<std::uint64_t>(overdue, size));
    const std::size_t looked_at = std::min(span_, size - missing);
    const std::size_t seen = looked_at == 0 ? 0 : (seen_ << (size - looked_at)).count();
    return 1 - static_cast<double>(seen) / static_cast<double>(looked_at + missing);
}

}  // namespace bascule::sync
