// SPDX-License-Identifier: Apache-2.0
#include "node/probe_words.h"

#include <fmt/format.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>

#include <string>

#include "dataplane/notes.h"
#include "node/probe_path.h"

namespace bascule::node {

using health::Failure;
using health::Outcome;

namespace {

struct IcmpMeaning {
    Failure failure;
    std::string what;  // "port unreachable"
};

// RFC 792, RFC 1122 (3.2.2.1) and RFC 1812 (5.2.7.1).
IcmpMeaning meaning_v4(unsigned type, unsigned code) {
    if (type == ICMP_TIME_EXCEEDED) return {Failure::unreachable, "time to live exceeded"};
    if (type == ICMP_PARAMETERPROB) return {Failure::protocol, "bad IP header"};
    switch (code) {
        case ICMP_NET_UNREACH:
        case ICMP_NET_UNKNOWN:
            return {Failure::unreachable, "network unreachable"};
        case ICMP_HOST_UNREACH:
        case ICMP_HOST_UNKNOWN:
            return {Failure::unreachable, "host unreachable"};
        case ICMP_PROT_UNREACH:
            return {Failure::refused, "protocol unreachable"};
        case ICMP_PORT_UNREACH:
            return {Failure::refused, "port unreachable"};
        case ICMP_FRAG_NEEDED:
            return {Failure::unreachable, "packet too big for the way"};
        case ICMP_NET_ANO:
        case ICMP_HOST_ANO:
        case ICMP_PKT_FILTERED:
            return {Failure::unreachable, "administratively prohibited"};
        default:
            return {Failure::unreachable, fmt::format("unreachable, code {}", code)};
    }
}

// RFC 4443, section 3.
IcmpMeaning meaning_v6(unsigned type, unsigned code) {
    if (type == ICMP6_PACKET_TOO_BIG) return {Failure::unreachable, "packet too big for the way"};
    if (type == ICMP6_TIME_EXCEEDED) return {Failure::unreachable, "hop limit exceeded"};
    if (type == ICMP6_PARAM_PROB && code == ICMP6_PARAMPROB_NEXTHEADER)
        return {Failure::refused, "protocol unreachable"};
    if (type == ICMP6_PARAM_PROB) return {Failure::protocol, "bad IPv6 header"};
    switch (code) {
        case ICMP6_DST_UNREACH_NOROUTE:
            return {Failure::unreachable, "network unreachable"};
        case ICMP6_DST_UNREACH_ADDR:
            return {Failure::unreachable, "host unreachable"};
        case ICMP6_DST_UNREACH_NOPORT:
            return {Failure::refused, "port unreachable"};
        case ICMP6_DST_UNREACH_ADMIN:
        case 5:  // source address failed ingress policy
        case 6:  // reject route
            return {Failure::unreachable, "administratively prohibited"};
        default:
            return {Failure::unreachable, fmt::format("unreachable, code {}", code)};
    }
}

IcmpMeaning meaning_of(const dataplane::ProbeNote& note) {
    const unsigned type = note.detail >> 8;
    const unsigned code = note.detail & 0xff;
    return note.from.is_v4() ? meaning_v4(type, code) : meaning_v6(type, code);
}

Outcome told(Failure failure, std::string words) {
    return {failure, std::move(words), {}, {}};
}

// A server speaks as the VIP, too.
std::string sender_of(const dataplane::ProbeNote& note, const ProbedBackend& probed) {
    return (note.from == probed.service.vip ? probed.address : note.from).to_string();
}

Outcome about_probe(const dataplane::ProbeNote& note, const ProbedBackend& probed) {
    const auto [failure, what] = meaning_of(note);
    return told(failure, fmt::format("{}, says {} (ICMP)", what, sender_of(note, probed)));
}

// "protocol 4", as numbered by IANA: what the outer header carries.
std::string carried_by(const ProbedBackend& probed) {
    if (probed.service.forward == model::Forward::gue)
        return fmt::format("UDP port {}", probed.service.gue_port);
    return fmt::format("protocol {}", probed.service.vip.is_v4() ? IPPROTO_IPIP : IPPROTO_IPV6);
}

Outcome about_tunnel(const dataplane::ProbeNote& note, const ProbedBackend& probed) {
    const auto [failure, what] = meaning_of(note);
    const std::string from = note.from.to_string();
    if (failure == Failure::refused)
        return told(Failure::unreachable,
                    fmt::format("{} unreachable, says {}: the tunnel is not taken apart there",
                                carried_by(probed), from));
    return told(failure, fmt::format("{}, says {} of the tunnel (ICMP)", what, from));
}

// The way is fine, then: the outcome stands.
Outcome about_answer(const dataplane::ProbeNote& note, const ProbedBackend& probed,
                     const Outcome& outcome) {
    const bool reset = (note.detail & TH_RST) != 0;
    if (outcome.failure != Failure::refused || !reset) return outcome;
    return told(Failure::refused,
                fmt::format("connection refused by {} (RST)", probed.address.to_string()));
}

// Only then is it the data plane that knows why.
bool got_no_answer(const Outcome& outcome) {
    return outcome.failure == Failure::timed_out || outcome.failure == Failure::refused ||
           outcome.failure == Failure::unreachable;
}

}  // namespace

std::optional<Outcome> better_told(const dataplane::ProbeNote& note, const ProbedBackend& probed,
                                   const Outcome& outcome) {
    if (!got_no_answer(outcome)) return std::nullopt;
    switch (note.event) {
        case BSC_PROBE_NOTHING:
            if (outcome.failure != Failure::timed_out) return std::nullopt;
            return told(Failure::path,
                        fmt::format("the probe did not leave this host: does its own firewall drop "
                                    "what goes out by {}?",
                                    probe_stack_end));
        case BSC_PROBE_NOT_SENT: {
            const auto word = dataplane::drop_word(note.detail);
            return told(Failure::path,
                        fmt::format("the probe was not sent: {}",
                                    word ? word->meaning : "the data plane does not know it"));
        }
        case BSC_PROBE_ANSWERED:
            return about_answer(note, probed, outcome);
        case BSC_PROBE_OTHER_PORT:
            return told(Failure::protocol, fmt::format("answers from port {} instead of {}",
                                                       note.port, probed.vip_port));
        case BSC_PROBE_BOUNCED:
            return told(Failure::path,
                        "the probe came back: the server has no VIP on its loopback and forwards");
        case BSC_PROBE_ICMP:
            return about_probe(note, probed);
        case BSC_PROBE_ICMP_OUTER:
            return about_tunnel(note, probed);
        default:
            return std::nullopt;
    }
}

std::optional<Outcome> Explanation::of(const std::optional<dataplane::ProbeNote>& note,
                                       const ProbedBackend& probed, const Outcome& outcome,
                                       bool good_before, Time now) {
    if (good_before) last_.reset();
    if (auto told = note ? better_told(*note, probed, outcome) : std::nullopt) {
        const bool icmp = note->event == BSC_PROBE_ICMP || note->event == BSC_PROBE_ICMP_OUTER;
        last_ = icmp ? told : std::nullopt;
        when_ = now;
        return told;
    }
    if (outcome.failure != Failure::timed_out || now - when_ >= lasts) return std::nullopt;
    return last_;
}

}  // namespace bascule::node
