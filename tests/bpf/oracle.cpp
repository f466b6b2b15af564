// SPDX-License-Identifier: Apache-2.0
#include "oracle.h"

#include <algorithm>
#include <stdexcept>

#include "checksum.h"
#include "world.h"

namespace bascule::test {

namespace {

using model::Forward;
using model::Protocol;

constexpr std::uint8_t tcp = 6, udp = 17;

Address address_at(const Bytes& ip, std::size_t at, bool v4) {
    if (v4) return Address::v4({ip.at(at), ip.at(at + 1), ip.at(at + 2), ip.at(at + 3)});
    Address::Bytes bytes;
    std::copy_n(ip.begin() + static_cast<long>(at), bytes.size(), bytes.begin());
    return Address(bytes);
}

Address destination_in(const Bytes& ip) {
    return ip.at(0) >> 4 == 4 ? address_at(ip, 16, true) : address_at(ip, 24, false);
}

Bytes ip_in(const Bytes& frame) {
    return {frame.begin() + static_cast<long>(std::min(tagging_of(frame).l3, frame.size())),
            frame.end()};
}

// Of a frame whose inner checksum held when it came: does it still?
bool kept_its_checksum(const Bytes& in, const Bytes& out, const Way& way) {
    const Bytes before = ip_in(in);
    const IpLayout layout = layout_of(before);
    if (!layout.whole_l4 || !is_l4_checksum_right(before, layout)) return true;
    Bytes after = ip_in(out);
    after.erase(after.begin(), after.begin() + static_cast<long>(overhead_of(way)));
    return is_l4_checksum_right(after, layout_of(after));
}

// Lengths and checksum of an outer header, looked at by themselves.
bool is_whole(const Bytes& frame) {
    const Bytes ip = ip_in(frame);
    const IpLayout layout = layout_of(ip);
    if (layout.family == 0 || layout.bytes != ip.size()) return false;
    return layout.family == 6 || get16(ip, 10) == right_ipv4_checksum(ip);
}

}  // namespace

// By the station and the IP destination, however broken the rest may be.
bool Oracle::is_for_vip(const Bytes& in) const {
    const Tagged tagged = tagging_of(in);
    const bool v4 = tagged.ethertype == 0x0800;
    if (!v4 && tagged.ethertype != 0x86dd) return false;
    if (in.size() < tagged.l3 + (v4 ? 20U : 40U) || destination_of(in) != our_mac) return false;
    return tables_.is_vip(v4 ? address_at(in, tagged.l3 + 16, true)
                             : address_at(in, tagged.l3 + 24, false));
}

// The service that the packet is for, by its ports or by those that an ICMP error quotes. A later
// fragment has none: `is_later`.
const FuzzService* Oracle::owner_of(const Bytes& ip, bool& is_later) const {
    const IpLayout layout = layout_of(ip);
    if (layout.family == 0) return nullptr;
    const Address vip = destination_in(ip);
    is_later = layout.fragment_offset != 0;
    if (is_later) return nullptr;
    if (layout.protocol == tcp || layout.protocol == udp)
        return tables_.owner(vip, layout.protocol == tcp ? Protocol::tcp : Protocol::udp,
                             get16(ip, layout.l4 + 2));
    if (layout.bytes < layout.l4 + 8) return nullptr;
    const Bytes quote(ip.begin() + static_cast<long>(layout.l4) + 8,
                      ip.begin() + static_cast<long>(layout.bytes));
    const IpLayout quoted = layout_of_quote(quote);
    if (quoted.family == 0 || quoted.fragment_offset != 0) return nullptr;
    if (address_at(quote, quoted.family == 4 ? 12 : 8, quoted.family == 4) != vip) return nullptr;
    return tables_.owner(vip, quoted.protocol == tcp ? Protocol::tcp : Protocol::udp,
                         get16(quote, quoted.l4));
}

std::optional<std::string> Oracle::judge_sent(const Bytes& in, const Outcome& outcome) const {
    const Bytes& out = outcome.frame;
    const FuzzService* service = tables_.by_station(destination_of(out));
    if (service == nullptr)
        return "sent to " + destination_of(out).to_string() + ", which is nobody's";
    const Served& served = service->served;
    const bool other = std::string(served.interface) == second_interface;
    if (outcome.verdict != (other ? Verdict::redirect : Verdict::tx))
        return "sent out by the wrong interface";

    bool is_later = false;
    const FuzzService* owner = owner_of(ip_in(in), is_later);
    if (is_later) {
        if (served.family.vip != destination_in(ip_in(in)))
            return "a fragment was sent to another VIP's backend";
    } else if (owner != service) {
        return "sent to a backend of a service that it is not for";
    }
    const Bytes expected = delivered_frame(in, served.way, chosen_in(out, served.way));
    if (expected != out) return "left otherwise than expected:\n  " + hex(expected);
    if (overhead_of(served.way) != 0 && !is_whole(out)) return "its outer header is wrong";
    if (!kept_its_checksum(in, out, served.way)) return "its checksum was right and is wrong now";
    return std::nullopt;
}

std::optional<std::string> Oracle::judge_answer(const Bytes& in, const Bytes& out,
                                                const std::string& reason) const {
    std::vector<Bytes> allowed;
    const Bytes ip = ip_in(in);
    if (reason == "refused") {
        const bool is_udp = layout_of(ip).protocol == udp;
        allowed.push_back(is_udp ? unreachable_frame(in) : reset_frame(in));
    } else if (reason == "too_big") {
        for (const FuzzService& service : tables_.services()) {
            const std::size_t most = service.served.mtu - overhead_of(service.served.way);
            if (service.served.family.vip == destination_in(ip) && layout_of(ip).bytes > most)
                allowed.push_back(
                    too_big_frame(in, static_cast<std::uint16_t>(std::max<std::size_t>(
                                          most, ip.at(0) >> 4 == 6 ? 1280 : 68))));
        }
    } else {
        return "sent, and counted as a drop for " + reason;
    }
    if (std::find(allowed.begin(), allowed.end(), out) == allowed.end())
        return "answered otherwise than expected" +
               (allowed.empty() ? std::string() : ":\n  " + hex(allowed.front()));
    if (!is_whole(out)) return "the answer's header is wrong";
    return std::nullopt;
}

std::optional<std::string> Oracle::judge_local(const Bytes& in, const Bytes& out) const {
    bool is_later = false;
    const FuzzService* owner = owner_of(ip_in(in), is_later);
    if (owner == nullptr || owner->served.way.forward != Forward::local)
        return "given to Linux, but not as it came";
    if (delivered_frame(in, owner->served.way) != out)
        return "given to Linux otherwise than expected";
    if (!kept_its_checksum(in, out, owner->served.way))
        return "its checksum was right and is wrong now";
    return std::nullopt;
}

std::optional<std::string> Oracle::judge(const Bytes& in, const Outcome& outcome,
                                         const Drops& drops) const {
    std::uint64_t dropped = 0;
    for (const auto& [reason, count] : drops)
        dropped += count;
    if (dropped > 1) return "more than one reason for a drop was counted";
    const std::string reason = drops.empty() ? "" : drops.begin()->first;
    if (!is_for_vip(in) && (outcome.verdict != Verdict::pass || outcome.frame != in))
        return "it is not for a VIP, and was not just given to Linux";
    try {
        switch (outcome.verdict) {
            case Verdict::drop:
                if (dropped != 1) return "dropped without a reason";
                return std::nullopt;
            case Verdict::pass:
                if (dropped != 0) return "given to Linux, and counted as a drop for " + reason;
                return outcome.frame == in ? std::nullopt : judge_local(in, outcome.frame);
            case Verdict::tx:
                if (dropped != 0) return judge_answer(in, outcome.frame, reason);
                return judge_sent(in, outcome);
            case Verdict::redirect:
                if (dropped != 0) return "redirected, and counted as a drop for " + reason;
                return judge_sent(in, outcome);
            case Verdict::aborted:
                break;
        }
    } catch (const std::logic_error&) {  // out of range: expected.h found less than it needs
        return "sent, though it is too short to be a packet of any service";
    }
    return "aborted";
}

}  // namespace bascule::test
