// SPDX-License-Identifier: Apache-2.0
#include "sync/codec_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <utility>

#include "sync/messages.h"

namespace bascule::sync {

namespace {

constexpr std::uint32_t ipv6 = 1;  // lowest bit of an entry of `kinds`
constexpr std::size_t port_bytes = 2;
constexpr auto newest_kind = static_cast<std::uint32_t>(SessionRecord::Kind::copy);

std::uint64_t read_big_endian(const std::uint8_t* bytes, std::size_t count) {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < count; ++i)
        out = out << 8 | bytes[i];
    return out;
}

void write_big_endian(std::uint64_t value, std::uint8_t* bytes, std::size_t count) {
    for (std::size_t i = count; i > 0; --i, value >>= 8)
        bytes[i - 1] = static_cast<std::uint8_t>(value);
}

// Numbers what comes, in the order in which it comes. Open addressing: a look-up for each record is
// most of what encoding costs.
class Numbering {
public:
    explicit Numbering(std::size_t most) : places_(std::bit_ceil(2 * most), none) {}

    // `hash` is uniform already: ids are parts of a SHA-256. `is(number)`: it is this one;
    // `add()`: adds it, and says its number.
    template <typename Is, typename Add>
    std::uint32_t find(std::uint64_t hash, const Is& is, const Add& add) {
        const std::size_t mask = places_.size() - 1;
        for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
            if (places_[at] == none) return places_[at] = add();
            if (is(static_cast<int>(places_[at]))) return places_[at];
        }
    }

private:
    static constexpr std::uint32_t none = UINT32_MAX;

    std::vector<std::uint32_t> places_;
};

// The columns of services and targets.
class TargetTable {
public:
    TargetTable(std::size_t most, wire::Records& out)
        : targets_(most), services_(most), out_(out) {}

    std::uint32_t number(ServiceId service, TargetId target) {
        // Most records are of the same service as the one before.
        if (service != last_service_ || out_.services().empty()) {
            last_number_ = service_number(service);
            last_service_ = service;
        }
        return targets_.find(
            target + last_number_,
            [&](int at) { return out_.targets(at) == target && out_.owners(at) == last_number_; },
            [&] {
                out_.add_targets(target);
                out_.add_owners(last_number_);
                return static_cast<std::uint32_t>(out_.targets_size() - 1);
            });
    }

private:
    std::uint32_t service_number(ServiceId service) {
        return services_.find(
            service, [&](int at) { return out_.services(at) == service; },
            [&] {
                out_.add_services(service);
                return static_cast<std::uint32_t>(out_.services_size() - 1);
            });
    }

    Numbering targets_;
    Numbering services_;
    ServiceId last_service_ = 0;
    std::uint32_t last_number_ = 0;
    wire::Records& out_;
};

template <typename T>
T* sized(google::protobuf::RepeatedField<T>* column, std::size_t count) {
    column->Resize(static_cast<int>(count), T{});
    return column->mutable_data();
}

void shorten(google::protobuf::RepeatedField<std::uint32_t>* column) {
    if (std::adjacent_find(column->begin(), column->end(), std::not_equal_to<>()) == column->end())
        column->Truncate(1);
}

void shorten_ports(std::string& column) {
    const std::string_view all(column);
    if (all.substr(port_bytes) == all.substr(0, all.size() - port_bytes)) column.resize(port_bytes);
}

void add_source(const Address& source, wire::Records& out) {
    if (source.is_v4()) {
        out.add_sources_v4(
            static_cast<std::uint32_t>(read_big_endian(source.bytes().data() + 12, 4)));
        return;
    }
    out.add_sources_v6(read_big_endian(source.bytes().data(), 8));
    out.add_sources_v6(read_big_endian(source.bytes().data() + 8, 8));
}

// A column of 32-bit numbers, of which one may stand for all.
class Numbers {
public:
    explicit Numbers(const google::protobuf::RepeatedField<std::uint32_t>& column)
        : data_(column.data()), step_(column.size() == 1 ? 0 : 1) {}
    std::uint32_t operator[](std::size_t i) const { return data_[i * step_]; }

private:
    const std::uint32_t* data_;
    std::size_t step_;
};

class Ports {
public:
    explicit Ports(const std::string& column)
        : data_(reinterpret_cast<const std::uint8_t*>(column.data())),
          step_(column.size() == port_bytes ? 0 : port_bytes) {}
    std::uint16_t operator[](std::size_t i) const {
        return static_cast<std::uint16_t>(read_big_endian(data_ + i * step_, port_bytes));
    }

private:
    const std::uint8_t* data_;
    std::size_t step_;
};

bool is_length(std::size_t length, std::size_t records) {
    return length == records || (length == 1 && records > 0);
}

Result<void> check_below(const google::protobuf::RepeatedField<std::uint32_t>& column, int count,
                         const char* what) {
    for (const std::uint32_t one : column) {
        if (one >= static_cast<std::uint32_t>(count))
            return failure(fmt::format("{} {} of {}", what, one, count));
    }
    return {};
}

// Counts records of IPv6 on the way.
Result<void> check_kinds(const wire::Records& columns, std::size_t records, std::size_t& of_ipv6) {
    const Numbers kinds(columns.kinds());
    for (std::size_t i = 0; i < records; ++i) {
        if (kinds[i] <= ipv6) return failure("a record of kind 0");
        of_ipv6 += kinds[i] & ipv6;
    }
    return {};
}

}  // namespace

void to_columns(const std::vector<SessionRecord>& records, Seconds32 now, wire::Records& out) {
    const std::size_t count = records.size();
    if (count == 0) return;
    TargetTable table(count, out);
    std::uint32_t* kinds = sized(out.mutable_kinds(), count);
    std::uint32_t* which = sized(out.mutable_which(), count);
    std::uint32_t* ages = sized(out.mutable_ages(), count);
    std::string& source_ports = *out.mutable_source_ports();
    std::string& destination_ports = *out.mutable_destination_ports();
    source_ports.resize(port_bytes * count);
    destination_ports.resize(port_bytes * count);
    auto* from = reinterpret_cast<std::uint8_t*>(source_ports.data());
    auto* to = reinterpret_cast<std::uint8_t*>(destination_ports.data());
    out.mutable_sources_v4()->Reserve(static_cast<int>(count));
    for (std::size_t i = 0; i < count; ++i) {
        const SessionRecord& record = records[i];
        const Flow& flow = record.flow;
        kinds[i] = 2U * static_cast<std::uint32_t>(record.kind) + (flow.source.is_v4() ? 0 : ipv6);
        which[i] = table.number(flow.service, record.target);
        ages[i] = now - record.seen;
        write_big_endian(flow.source_port, from + port_bytes * i, port_bytes);
        write_big_endian(flow.destination_port, to + port_bytes * i, port_bytes);
        add_source(flow.source, out);
    }
    shorten(out.mutable_kinds());
    shorten(out.mutable_which());
    shorten(out.mutable_ages());
    shorten_ports(destination_ports);
}

Result<void> check_columns(const wire::Records& columns) {
    const std::size_t records = columns.source_ports().size() / port_bytes;
    const auto size = [](const auto& column) { return static_cast<std::size_t>(column.size()); };
    if (columns.source_ports().size() % port_bytes != 0) return failure("half a source port");
    if (records > most_records)
        return failure(fmt::format("{} records, at most {}", records, most_records));
    if (columns.destination_ports().size() % port_bytes != 0)
        return failure("half a destination port");
    if (size(columns.targets()) > records || size(columns.owners()) != size(columns.targets()) ||
        size(columns.services()) > size(columns.targets()))
        return failure(fmt::format("{} services and {} targets of {} owners for {} records",
                                   size(columns.services()), size(columns.targets()),
                                   size(columns.owners()), records));
    const std::pair<const char*, std::size_t> lengths[] = {
        {"kinds", size(columns.kinds())},
        {"targets", size(columns.which())},
        {"ages", size(columns.ages())},
        {"destination ports", columns.destination_ports().size() / port_bytes}};
    for (const auto& [name, length] : lengths) {
        if (!is_length(length, records))
            return failure(fmt::format("{} {} for {} records", length, name, records));
    }
    if (auto fine = check_below(columns.owners(), columns.services_size(), "service"); !fine)
        return fine;
    if (auto fine = check_below(columns.which(), columns.targets_size(), "target"); !fine)
        return fine;
    std::size_t of_ipv6 = 0;
    if (auto fine = check_kinds(columns, records, of_ipv6); !fine) return fine;
    if (size(columns.sources_v4()) != records - of_ipv6 ||
        size(columns.sources_v6()) != 2 * of_ipv6)
        return failure(
            fmt::format("{} IPv4 and {} halves of IPv6 sources for {} records, {} of IPv6",
                        size(columns.sources_v4()), size(columns.sources_v6()), records, of_ipv6));
    return {};
}

std::vector<SessionRecord> from_columns(const wire::Records& columns, Seconds32 now) {
    const std::size_t count = columns.source_ports().size() / port_bytes;
    const Numbers kinds(columns.kinds());
    const Numbers which(columns.which());
    const Numbers ages(columns.ages());
    const Ports from(columns.source_ports());
    const Ports to(columns.destination_ports());
    const std::uint32_t* next_v4 = columns.sources_v4().data();
    const std::uint64_t* next_v6 = columns.sources_v6().data();
    std::vector<SessionRecord> out;
    out.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        Address::Bytes source{};
        if (kinds[i] & ipv6) {
            write_big_endian(*next_v6++, source.data(), 8);
            write_big_endian(*next_v6++, source.data() + 8, 8);
        } else {
            source[10] = source[11] = 0xff;
            write_big_endian(*next_v4++, source.data() + 12, 4);
        }
        const std::uint32_t kind = kinds[i] >> 1;
        if (kind > newest_kind) continue;
        const int target = static_cast<int>(which[i]);
        out.push_back(
            {.kind = static_cast<SessionRecord::Kind>(kind),
             .flow = {.source = Address(source),
                      .source_port = from[i],
                      .destination_port = to[i],
                      .service = columns.services(static_cast<int>(columns.owners(target)))},
             .target = columns.targets(target),
             .seen = now - ages[i]});
    }
    return out;
}

}  // namespace bascule::sync
