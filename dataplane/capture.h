// SPDX-License-Identifier: Apache-2.0
// Packets for a VIP as the program saw them: as they arrived, and what became of them.
//
// While a Capture lives, copies of the program that report packets stand in the place of the usual
// ones. Records come through a perf buffer a CPU into a queue; what finds either full is lost and
// counted, traffic goes on. The filter has a deadline that its owner has to renew: when the process
// dies, the copies fall silent by themselves, and the next process swaps its own in.
//
// Thread: control. At most one Capture at a time.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "dataplane/dataplane.h"
#include "dataplane/notes.h"

struct perf_buffer;
struct perf_event_header;

namespace bascule::dataplane {

// The most of a frame that is handed over.
inline constexpr std::uint32_t most_snap_bytes = 16384;

// All that is set must match.
struct CaptureFilter {
    std::uint32_t what = 0;  // BSC_CAPTURE_*
    std::uint32_t snap_bytes = most_snap_bytes;
    std::uint32_t sample = 1;   // one packet in so many
    std::uint64_t reasons = 0;  // bit by enum bsc_drop_reason; 0: every reason
    // Source network: its first so many of the 128 bits of an Address.
    std::optional<std::pair<Address, unsigned>> client;
    std::optional<Address> vip;
    std::uint16_t port = 0;     // destination, host order; 0: any
    std::uint8_t protocol = 0;  // 0: any
};

struct CaptureRecord {
    std::uint32_t what = 0;             // one of BSC_CAPTURE_*
    std::int64_t unix_nanoseconds = 0;  // wall clock
    std::uint32_t frame_bytes = 0;      // whole length
    std::uint32_t ifindex = 0;          // where it came in
    Notes notes;                        // of arrivals: empty
    std::vector<std::uint8_t> bytes;    // of the frame, at most snap_bytes
};

class Capture {
public:
    // Begins. `serial` tells its records from those of others.
    static Result<std::unique_ptr<Capture>> begin(Dataplane& dataplane, const CaptureFilter& filter,
                                                  std::uint64_t serial);
    // Ends it. An error that leaves the copies in place is logged; they are silent then.
    ~Capture();
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;

    // Nothing is captured `seconds` from now on unless it is renewed.
    Result<void> renew(std::uint32_t seconds);
    // No more packets; those that are there can still be taken.
    void silence();
    // Moves what the buffers hold into the queue, in order of time.
    void collect();
    // The oldest record; none: the queue is empty.
    std::optional<CaptureRecord> take();
    bool empty() const { return queue_.empty(); }

    // Packets that found a buffer or the queue full.
    std::uint64_t lost() const { return lost_; }

private:
    struct FreeBuffer {
        void operator()(perf_buffer* buffer) const;
    };
    Capture(Dataplane& dataplane, const CaptureFilter& filter, std::uint64_t serial);
    Result<void> open_buffers();
    Result<void> write_filter();
    void on_event(const perf_event_header& header);
    void on_sample(const std::uint8_t* bytes, std::size_t count);

    Dataplane& dataplane_;
    bsc_capture_filter filter_{};
    std::unique_ptr<perf_buffer, FreeBuffer> buffers_;
    std::deque<CaptureRecord> queue_;
    std::size_t queued_bytes_ = 0;
    std::uint64_t lost_ = 0;
    std::uint32_t now_ = 0;               // clocks, as of this collect()
    std::int64_t unix_of_monotonic_ = 0;  // nanoseconds to add
};

}  // namespace bascule::dataplane
