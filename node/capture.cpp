// SPDX-License-Identifier: Apache-2.0
#include "node/capture.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <string>

#include "control/framing.h"
#include "node/links.h"
#include "node/prefix.h"
#include "node/slot_names.h"

namespace bascule::node {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

using control::Failure;
using control::Response;

constexpr std::uint32_t usual_seconds = 600;
constexpr std::uint32_t most_seconds = 3600;
constexpr auto patience = 5s;  // with a client that does not ask
constexpr auto longest_wait = 200ms;
constexpr auto look_again = 10ms;
constexpr auto renew_every = 1s;
// The filter outlives the last renewal by so much: it has to bridge a busy control thread.
constexpr std::uint32_t filter_seconds = 10;
constexpr std::size_t most_batch_bytes = std::size_t{1} << 20;
constexpr int most_batch_packets = 2000;
// A frame of fewer bytes shows no ports.
constexpr std::uint32_t least_snap_bytes = 64;

std::uint32_t bit_of(int what) {
    switch (what) {
        case control::CAPTURE_ARRIVES:
            return BSC_CAPTURE_ARRIVES;
        case control::CAPTURE_LEAVES:
            return BSC_CAPTURE_LEAVES;
        case control::CAPTURE_DROPPED:
            return BSC_CAPTURE_DROPPED;
        case control::CAPTURE_PASSED:
            return BSC_CAPTURE_PASSED;
        default:
            return 0;
    }
}

control::CaptureWhat what_of(std::uint32_t bit) {
    switch (bit) {
        case BSC_CAPTURE_ARRIVES:
            return control::CAPTURE_ARRIVES;
        case BSC_CAPTURE_LEAVES:
            return control::CAPTURE_LEAVES;
        case BSC_CAPTURE_DROPPED:
            return control::CAPTURE_DROPPED;
        case BSC_CAPTURE_PASSED:
            return control::CAPTURE_PASSED;
        default:
            return control::CAPTURE_UNSPECIFIED;
    }
}

// Addresses stand v4-mapped: a short prefix of IPv6 would let all of IPv4 in.
Result<std::pair<Address, unsigned>> client_of(const std::string& text) {
    auto prefix = Prefix::parse(text);
    if (!prefix) return failure(std::move(prefix.error()));
    if (!prefix->network().is_v4() && prefix->contains(Address()) && prefix->bits() < 96)
        return failure(fmt::format("the prefix '{}' is too wide: leave it out", text));
    return std::pair(prefix->network(), prefix->bits());
}

// Names of slots and interfaces, looked up once a batch.
class Naming {
public:
    explicit Naming(const Daemon& daemon)
        : slots_(daemon.state().config(), daemon.dataplane().tables()) {}

    void name(const dataplane::CaptureRecord& record, control::CapturedPacket& packet) {
        const auto& notes = record.notes;
        const bool elsewhere = record.what == BSC_CAPTURE_LEAVES && notes.redirect_ifindex != 0;
        packet.set_interface(interface(elsewhere ? notes.redirect_ifindex : record.ifindex));
        if (const auto* service = notes.service ? slots_.service(*notes.service) : nullptr)
            packet.set_service(service->name);
        if (const auto* backend = slots_.backend(notes.backend).second)
            packet.set_backend(backend->name);
    }

private:
    const std::string& interface(std::uint32_t ifindex) {
        auto& name = interfaces_[ifindex];
        if (name.empty()) name = interface_name(ifindex);
        return name;
    }

    SlotNames slots_;
    std::map<std::uint32_t, std::string> interfaces_;
};

void fill(control::CapturedPacket& packet, const dataplane::CaptureRecord& record) {
    const auto& notes = record.notes;
    packet.set_what(what_of(record.what));
    packet.set_unix_nanoseconds(record.unix_nanoseconds);
    packet.set_frame_bytes(record.frame_bytes);
    packet.set_frame(record.bytes.data(), record.bytes.size());
    if (notes.drop) packet.set_drop(notes.drop->name);
    packet.set_answered(record.what == BSC_CAPTURE_LEAVES && notes.drop.has_value());
    packet.set_encapsulated(notes.has(BSC_STEP_ENCAPSULATED) && !packet.answered());
    for (const auto& event : notes.event_words())
        packet.add_events(event.name);
}

Response invalid(const Error& error) {
    return control::failure_response(Failure::FAILURE_INVALID, error.text());
}

Response no_such_capture() {
    return control::failure_response(Failure::FAILURE_NOT_FOUND,
                                     "that capture has ended: its client was silent too long, or "
                                     "the daemon stopped it");
}

}  // namespace

Result<dataplane::CaptureFilter> filter_of(const control::CaptureStartRequest& ask) {
    dataplane::CaptureFilter filter;
    for (const auto what : ask.what())
        filter.what |= bit_of(what);
    if (ask.what().empty())
        filter.what = BSC_CAPTURE_LEAVES | BSC_CAPTURE_DROPPED | BSC_CAPTURE_PASSED;
    if (filter.what == 0) return failure("this daemon captures no such packets");
    for (const auto& name : ask.reasons()) {
        const auto reason = dataplane::drop_reason(name);
        if (!reason)
            return failure(
                fmt::format("there is no drop reason '{}' (see: bascule show drops "
                            "--all)",
                            name));
        filter.reasons |= std::uint64_t{1} << *reason;
    }
    if (!ask.client().empty()) {
        auto client = client_of(ask.client());
        if (!client) return failure(std::move(client.error()));
        filter.client = *client;
    }
    if (!ask.vip().empty()) {
        filter.vip = Address::parse(ask.vip());
        if (!filter.vip) return failure(fmt::format("'{}' is not an address", ask.vip()));
    }
    if (ask.port() > 65535) return failure(fmt::format("port {} is above 65535", ask.port()));
    filter.port = static_cast<std::uint16_t>(ask.port());
    if (ask.protocol() == control::PROTOCOL_TCP) filter.protocol = 6;
    if (ask.protocol() == control::PROTOCOL_UDP) filter.protocol = 17;
    filter.sample = std::max<std::uint32_t>(ask.sample(), 1);
    if (ask.snap_bytes() != 0)
        filter.snap_bytes =
            std::clamp(ask.snap_bytes(), least_snap_bytes, dataplane::most_snap_bytes);
    if (ask.seconds() > most_seconds)
        return failure(fmt::format("{} s are more than the longest time of a capture, {} s",
                                   ask.seconds(), most_seconds));
    return filter;
}

asio::awaitable<Response> CaptureDesk::start(control::CaptureStartRequest ask) {
    auto filter = filter_of(ask);
    if (!filter) co_return invalid(filter.error());
    if (running_ && Clock::now() - running_->heard > patience) end();
    if (running_)
        co_return control::failure_response(Failure::FAILURE_BUSY,
                                            "another capture runs: there is one at a time");
    auto capture = dataplane::Capture::begin(daemon_.dataplane(), *filter, ++last_id_);
    if (!capture)
        co_return control::failure_response(Failure::FAILURE_FAILED,
                                            "capture: " + capture.error().text());
    const std::uint32_t seconds = ask.seconds() != 0 ? ask.seconds() : usual_seconds;
    const auto now = Clock::now();
    running_ = Running{last_id_, std::move(*capture), now + std::chrono::seconds(seconds), now, now,
                       false};
    watch_.emplace(co_await asio::this_coro::executor);
    watch();
    spdlog::info("capture {} began", last_id_);
    Response response;
    response.mutable_capture_started()->set_id(last_id_);
    response.mutable_capture_started()->set_seconds(seconds);
    co_return response;
}

asio::awaitable<Response> CaptureDesk::next(control::CaptureNextRequest ask) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    const auto deadline = Clock::now() + longest_wait;
    while (runs(ask.id())) {
        running_->heard = Clock::now();
        keep_up();
        running_->capture->collect();
        if (!running_->capture->empty() || running_->silenced || Clock::now() >= deadline)
            co_return batch();
        timer.expires_after(look_again);
        boost::system::error_code ignored;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    co_return no_such_capture();
}

Response CaptureDesk::stop(const control::CaptureStopRequest& ask) {
    if (!runs(ask.id())) return no_such_capture();
    if (ask.discard()) {
        end();
    } else if (!running_->silenced) {
        running_->heard = Clock::now();
        running_->silenced = true;
        running_->capture->silence();
    }
    Response response;
    response.mutable_capture_stopped();
    return response;
}

// Its time, and the filter's deadline.
void CaptureDesk::keep_up() {
    const auto now = Clock::now();
    if (running_->silenced) return;
    if (now >= running_->end) {
        running_->silenced = true;
        running_->capture->silence();
    } else if (now - running_->renewed >= renew_every) {
        running_->renewed = now;
        if (auto renewed = running_->capture->renew(filter_seconds); !renewed)
            spdlog::warn("{}", renewed.error().text());
    }
}

void CaptureDesk::watch() {
    watch_->expires_after(1s);
    watch_->async_wait([this](const boost::system::error_code& error) {
        if (error || !running_) return;
        if (Clock::now() - running_->heard > patience) {
            spdlog::info("capture {}: its client is silent", running_->id);
            end();
            return;
        }
        watch();
    });
}

Response CaptureDesk::batch() {
    Response response;
    auto& batch = *response.mutable_capture_batch();
    batch.set_lost(running_->capture->lost());
    std::size_t bytes = 0;
    if (!running_->capture->empty()) {
        Naming naming(daemon_);
        while (bytes < most_batch_bytes && batch.packets_size() < most_batch_packets) {
            const auto record = running_->capture->take();
            if (!record) break;
            auto& packet = *batch.add_packets();
            fill(packet, *record);
            naming.name(*record, packet);
            bytes += packet.ByteSizeLong();
        }
    }
    batch.set_ended(running_->silenced && running_->capture->empty());
    if (batch.ended()) end();
    return response;
}

void CaptureDesk::end() {
    if (!running_) return;
    const std::uint64_t id = running_->id;
    const std::uint64_t lost = running_->capture->lost();
    running_.reset();
    watch_.reset();
    spdlog::info("capture {} ended, {} packets lost", id, lost);
}

}  // namespace bascule::node
