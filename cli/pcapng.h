// SPDX-License-Identifier: Apache-2.0
// Packets as a pcapng file (draft-ietf-opsawg-pcapng), block by block, to be written one after the
// other: what is there is a whole file at any time.
//
// Pure: bytes out, no file. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace bascule::cli {

struct PcapngPacket {
    std::string interface;
    std::int64_t unix_nanoseconds = 0;
    bool outbound = false;
    std::uint32_t frame_bytes = 0;  // whole length
    std::string_view frame;         // as much as was kept
    std::string comment;            // empty: none
};

class Pcapng {
public:
    // `application`: who writes it. `snap_bytes`: the most that is kept of a frame; 0: no limit.
    Pcapng(std::string application, std::uint32_t snap_bytes)
        : application_(std::move(application)), snap_bytes_(snap_bytes) {}

    // Stands before all else.
    std::string header() const;
    // A packet, and before it its interface when that is new.
    std::string packet(const PcapngPacket& packet);
    // At the end: how many packets were lost. An interface must have been named.
    std::string statistics(std::int64_t unix_nanoseconds, std::uint64_t lost) const;

private:
    std::string interface_block(const std::string& name) const;

    std::string application_;
    std::uint32_t snap_bytes_;
    std::map<std::string, std::uint32_t> interfaces_;  // number in the file, by name
};

}  // namespace bascule::cli
