// SPDX-License-Identifier: Apache-2.0
#include "dataplane/capture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "dataplane/libbpf_log.h"

namespace bascule::dataplane {

namespace {

constexpr std::size_t pages_per_cpu = 64;  // a power of two
constexpr std::size_t most_queued_bytes = std::size_t{8} << 20;
constexpr std::uint32_t first_seconds = 5;

// What a record costs in the queue, about.
std::size_t cost_of(const CaptureRecord& record) {
    return sizeof(record) + record.bytes.size();
}

std::int64_t nanoseconds_of(auto time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

// The mask of the first `bits` of 128.
std::array<std::uint8_t, 16> mask_of(unsigned bits) {
    std::array<std::uint8_t, 16> mask{};
    for (unsigned i = 0; i < std::min(bits, 128U); i++)
        mask[i / 8] = static_cast<std::uint8_t>(mask[i / 8] | 0x80U >> i % 8);
    return mask;
}

bsc_capture_filter filter_of(const CaptureFilter& from, std::uint64_t serial) {
    bsc_capture_filter filter{};
    filter.what = from.what;
    filter.snap_bytes = std::min(from.snap_bytes, most_snap_bytes);
    filter.sample = from.sample;
    filter.reasons = from.reasons;
    if (from.client) {
        const auto mask = mask_of(from.client->second);
        std::memcpy(filter.be_client, from.client->first.bytes().data(), mask.size());
        std::memcpy(filter.be_client_mask, mask.data(), mask.size());
    }
    if (from.vip) std::memcpy(filter.be_vip, from.vip->bytes().data(), sizeof(filter.be_vip));
    filter.be_port = __builtin_bswap16(from.port);
    filter.protocol = from.protocol;
    filter.serial = serial;
    return filter;
}

}  // namespace

void Capture::FreeBuffer::operator()(perf_buffer* buffer) const {
    perf_buffer__free(buffer);
}

Capture::Capture(Dataplane& dataplane, const CaptureFilter& filter, std::uint64_t serial)
    : dataplane_(dataplane), filter_(filter_of(filter, serial)) {}

Result<std::unique_ptr<Capture>> Capture::begin(Dataplane& dataplane, const CaptureFilter& filter,
                                                std::uint64_t serial) {
    std::unique_ptr<Capture> capture(new Capture(dataplane, filter, serial));
    if (auto opened = capture->open_buffers(); !opened) return failure(std::move(opened.error()));
    if (auto swapped = dataplane.set_capturing(true); !swapped)
        return failure(std::move(swapped.error()));
    if (auto renewed = capture->renew(first_seconds); !renewed)
        return failure(std::move(renewed.error()));
    return capture;
}

Capture::~Capture() {
    silence();
    if (auto swapped = dataplane_.set_capturing(false); !swapped)
        spdlog::warn("capture: the programs that report packets stay in place, silent: {}",
                     swapped.error().text());
}

Result<void> Capture::open_buffers() {
    const LibbpfLog log;
    perf_event_attr attributes{};
    attributes.size = sizeof(attributes);
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.config = PERF_COUNT_SW_BPF_OUTPUT;
    attributes.sample_type = PERF_SAMPLE_RAW;
    attributes.sample_period = 1;
    // They are looked at by the clock: nobody is to be woken for a packet.
    attributes.watermark = 1;
    attributes.wakeup_watermark = static_cast<std::uint32_t>(pages_per_cpu * 4096);
    const auto on_event = [](void* self, int, perf_event_header* header) {
        static_cast<Capture*>(self)->on_event(*header);
        return LIBBPF_PERF_EVENT_CONT;
    };
    perf_buffer* buffers = perf_buffer__new_raw(dataplane_.map_fd("capture_records"), pages_per_cpu,
                                                &attributes, on_event, this, nullptr);
    if (buffers == nullptr) return failure(bpf_error("open the perf buffers of a capture", errno));
    buffers_.reset(buffers);
    return {};
}

Result<void> Capture::write_filter() {
    const std::uint32_t zero = 0;
    if (bpf_map_update_elem(dataplane_.map_fd("capture_filter"), &zero, &filter_, BPF_ANY) != 0)
        return failure(bpf_error("write the filter of a capture", errno));
    return {};
}

Result<void> Capture::renew(std::uint32_t seconds) {
    filter_.deadline = dataplane_.seconds() + seconds;
    return write_filter();
}

void Capture::silence() {
    filter_.what = 0;
    if (auto written = write_filter(); !written) spdlog::warn("{}", written.error().text());
}

void Capture::collect() {
    now_ = dataplane_.seconds();
    unix_of_monotonic_ = nanoseconds_of(std::chrono::system_clock::now()) -
                         nanoseconds_of(std::chrono::steady_clock::now());
    const auto old = static_cast<std::ptrdiff_t>(queue_.size());
    // As much as the buffers held when it looked, not what comes meanwhile.
    perf_buffer__consume(buffers_.get());
    std::stable_sort(queue_.begin() + old, queue_.end(),
                     [](const CaptureRecord& one, const CaptureRecord& other) {
                         return one.unix_nanoseconds < other.unix_nanoseconds;
                     });
}

void Capture::on_event(const perf_event_header& header) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&header);
    if (header.type == PERF_RECORD_LOST) {
        std::array<std::uint64_t, 2> id_and_count{};
        if (header.size < sizeof(header) + sizeof(id_and_count)) return;
        std::memcpy(id_and_count.data(), bytes + sizeof(header), sizeof(id_and_count));
        lost_ += id_and_count[1];
    } else if (header.type == PERF_RECORD_SAMPLE) {
        std::uint32_t raw_bytes = 0;
        if (header.size < sizeof(header) + sizeof(raw_bytes)) return;
        std::memcpy(&raw_bytes, bytes + sizeof(header), sizeof(raw_bytes));
        const std::size_t most = header.size - sizeof(header) - sizeof(raw_bytes);
        on_sample(bytes + sizeof(header) + sizeof(raw_bytes),
                  std::min<std::size_t>(raw_bytes, most));
    }
}

void Capture::on_sample(const std::uint8_t* bytes, std::size_t count) {
    bsc_capture_record raw{};
    if (count < sizeof(raw)) return;
    std::memcpy(&raw, bytes, sizeof(raw));
    if (raw.serial != filter_.serial) return;
    const std::size_t captured = std::min<std::size_t>(raw.captured, count - sizeof(raw));
    CaptureRecord record;
    record.what = raw.what;
    record.unix_nanoseconds = static_cast<std::int64_t>(raw.nanoseconds) + unix_of_monotonic_;
    record.frame_bytes = raw.frame_bytes;
    record.ifindex = raw.ifindex;
    if (raw.what != BSC_CAPTURE_ARRIVES) record.notes = notes_of(raw.notes, now_);
    if (queued_bytes_ + sizeof(record) + captured > most_queued_bytes) {
        lost_++;
        return;
    }
    record.bytes.assign(bytes + sizeof(raw), bytes + sizeof(raw) + captured);
    queued_bytes_ += cost_of(record);
    queue_.push_back(std::move(record));
}

std::optional<CaptureRecord> Capture::take() {
    if (queue_.empty()) return std::nullopt;
    CaptureRecord record = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= cost_of(record);
    return record;
}

}  // namespace bascule::dataplane
