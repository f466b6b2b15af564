// SPDX-License-Identifier: Apache-2.0
#include "cli/render_peers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "cli/moment.h"
#include "cli/names.h"
#include "cli/table.h"

namespace bascule::cli {

namespace {

using Align = Column::Align;
using control::Peer;

constexpr std::uint32_t partitions = 1024;  // of a resync
constexpr double large_skew = 1000;         // milliseconds

bool is_live(const Peer& peer) {
    return peer.state() == Peer::PEER_ALIVE || peer.state() == Peer::PEER_SUSPECT;
}

std::string delay(double milliseconds) {
    return short_delay(static_cast<std::uint64_t>(std::max(0.0, milliseconds) * 1000));
}

// "+3ms", "-12.0s", "+1h 0m".
std::string skew_of(const Peer& peer) {
    if (!peer.has_skew_ms() || !is_live(peer)) return "-";
    const double size = std::abs(peer.skew_ms());
    const std::string sign = peer.skew_ms() < 0 ? "-" : "+";
    if (size < large_skew) return fmt::format("{}{:.0f}ms", sign, size);
    return sign + short_span(static_cast<std::int64_t>(size));
}

Cell state_cell(const Peer& peer) {
    switch (peer.state()) {
        case Peer::PEER_ALIVE:
            if (peer.leaving()) return {"leaving", Colour::yellow};
            return {"alive", Colour::green};
        case Peer::PEER_SUSPECT:
            return {"suspect", Colour::yellow};
        case Peer::PEER_DEAD:
            return {"DEAD", Colour::red};
        default:
            return {"NOT HEARD", Colour::red};
    }
}

Cell sessions_cell(const Peer& peer) {
    if (!is_live(peer)) return {"-"};
    if (peer.resyncing())
        return {fmt::format("resync {}", short_share(peer.resync_done(), partitions)),
                Colour::yellow};
    if (peer.synced()) return {"in step", Colour::green};
    return {"NOT IN STEP", Colour::red};
}

// Of what both should have alike; nullopt of what was not heard.
Cell same_cell(bool known, bool same) {
    if (!known) return {"-"};
    return same ? Cell{"same"} : Cell{"OTHER", Colour::red};
}

Cell stream_cell(const Peer& peer) {
    if (peer.stream()) return {short_duration(peer.stream_seconds())};
    return is_live(peer) ? Cell{"NONE", Colour::red} : Cell{"-"};
}

Cell yes_no(bool yes) {
    return yes ? Cell{"yes"} : Cell{"NO", Colour::red};
}

// "lb2", "lb2, lb3 and 4 others"; empty: none is so.
template <typename Is>
std::string names_where(const control::Peers& peers, Is is) {
    constexpr std::size_t most = 3;
    std::string text;
    std::size_t count = 0;
    for (const Peer& peer : peers.peers()) {
        if (!is(peer)) continue;
        if (count++ < most) text += (text.empty() ? "" : ", ") + harmless(peer.name());
    }
    if (count > most) text += " and " + counted(count - most, "other", "others");
    return text;
}

// What an operator wants to know first: with whom it is in step, or with whom not.
Cell verdict_of(const control::Peers& peers) {
    if (peers.alone()) return {"ALONE: no peer is alive", Colour::red};
    const std::string behind =
        names_where(peers, [](const Peer& peer) { return is_live(peer) && !peer.synced(); });
    const std::string dead =
        names_where(peers, [](const Peer& peer) { return peer.state() == Peer::PEER_DEAD; });
    const std::string unheard =
        names_where(peers, [](const Peer& peer) { return peer.state() == Peer::PEER_UNKNOWN; });
    std::string text;
    if (!behind.empty())
        text = "NOT IN STEP with " + behind;
    else if (!peers.synced())
        text = "NOT IN STEP";
    if (!dead.empty()) text += (text.empty() ? "DEAD: " : "; DEAD: ") + dead;
    if (!unheard.empty()) text += (text.empty() ? "NOT HEARD: " : "; NOT HEARD: ") + unheard;
    if (!text.empty()) return {text, Colour::red};
    return {"in step with " + names_where(peers, [](const Peer&) { return true; }), Colour::green};
}

std::vector<std::string> notes_of(const Peer& peer) {
    std::vector<std::string> notes;
    if (peer.incompatible())
        notes.push_back("its release " + peer.release() +
                        " needs a newer one here: heard, and not connected");
    // Without a connection it is behind for that reason alone.
    if (!peer.stream() && !peer.stream_problem().empty())
        notes.push_back("stream: " + peer.stream_problem());
    else if (!peer.behind().empty())
        notes.push_back(peer.behind());
    if (peer.by_wire()) notes.emplace_back("heard on the link of a VIP alone: every path is cut");
    if (is_live(peer) && !peer.hears_us()) notes.emplace_back("it does not hear this node");
    return notes;
}

std::string peer_table(const control::Peers& peers, const Screen& screen) {
    Table table({{"PEER", Align::left, 0, true},
                 {"STATE"},
                 {"FOR", Align::right},
                 {"SESSIONS"},
                 {"LAG", Align::right},
                 {"STREAM", Align::right},
                 {"SKEW", Align::right},
                 {"CONFIG"},
                 {"RING"},
                 {"SHARED"},
                 {"RELEASE", Align::left, 1}});
    for (const Peer& peer : peers.peers()) {
        table.add(
            {{peer.name()},
             state_cell(peer),
             {short_duration(peer.state_seconds())},
             sessions_cell(peer),
             {peer.has_lag_ms() ? delay(peer.lag_ms()) : "-"},
             stream_cell(peer),
             {skew_of(peer), std::abs(peer.skew_ms()) > large_skew ? Colour::yellow : Colour::none},
             same_cell(peer.has_config_equal(), peer.config_equal()),
             same_cell(peer.has_ring_equal(), peer.ring_equal()),
             same_cell(peer.has_shared_equal(), peer.shared_equal()),
             {peer.release().empty() ? "-" : peer.release()}});
        for (const std::string& note : notes_of(peer))
            table.note(note);
    }
    return table.to_string(screen.width, screen.colours);
}

// Of a path on which nothing comes there is nothing to reckon.
Cell loss_cell(const control::PeerPath& path) {
    if (!path.heard()) return {"-"};
    const std::string text = fmt::format("{:.1f}%", path.loss() * 100);
    return {text, path.loss() >= 0.05 ? Colour::yellow : Colour::none};
}

void add_path(Table& table, const Peer& peer, const std::string& from,
              const control::PeerPath& path) {
    table.add({{peer.name()},
               {from},
               {path.address()},
               yes_no(path.heard()),
               yes_no(path.hears_us()),
               {path.heard() && path.has_rtt_ms() ? delay(path.rtt_ms()) : "-"},
               {path.heard() && path.has_rtt_least_ms() ? delay(path.rtt_least_ms()) : "-"},
               loss_cell(path),
               {short_count(path.received())}});
}

// Path i of a peer begins at path i of this node. The link of the VIPs is told of while it is used.
std::string path_table(const control::Peers& peers, const Screen& screen) {
    Table table({{"PEER", Align::left, 0, true},
                 {"FROM HERE", Align::left, 1, true},
                 {"TO", Align::left, 0, true},
                 {"HEARD"},
                 {"HEARS US"},
                 {"RTT", Align::right},
                 {"LEAST", Align::right, 2},
                 {"LOSS", Align::right},
                 {"HEARTBEATS", Align::right, 3}});
    for (const Peer& peer : peers.peers()) {
        for (int i = 0; i < peer.paths_size(); ++i)
            add_path(table, peer, i < peers.paths_size() ? peers.paths(i).address() : "-",
                     peer.paths(i));
        if (peer.has_wire() && (peer.wire().heard() || screen.detail))
            add_path(table, peer, "link of a VIP", peer.wire());
    }
    return table.empty() ? "" : "\n" + table.to_string(screen.width, screen.colours);
}

void own_paths(Sheet& sheet, const control::Peers& peers, const Screen& screen) {
    for (const auto& path : peers.paths()) {
        const std::string problem = path.problem().empty() ? "" : ": " + path.problem();
        sheet.wrapped("Own path", harmless(path.address() + problem), screen.width);
    }
    for (const auto& path : peers.paths())
        if (path.from_strangers() > 0 || screen.detail)
            sheet.line("Strangers",
                       fmt::format("{} at {}, beside {} of peers",
                                   counted(path.from_strangers(), "datagram", "datagrams"),
                                   harmless(path.address()), short_count(path.datagrams())));
    for (const auto& path : peers.paths())
        for (const auto& counter : path.unopened())
            if (counter.count() > 0)
                sheet.wrapped("Not opened",
                              fmt::format("{} at {}: {} ({})", short_count(counter.count()),
                                          harmless(path.address()), harmless(counter.name()),
                                          harmless(counter.meaning())),
                              screen.width);
    const auto& wire = peers.wire();
    if (screen.detail)
        sheet.wrapped(
            "Link of VIPs",
            wire.problem().empty()
                ? fmt::format("{}, {} dropped", counted(wire.datagrams(), "frame", "frames"),
                              short_count(wire.from_strangers()))
                : harmless(wire.problem()),
            screen.width);
    for (const auto& counter : wire.unopened())
        sheet.wrapped("Not opened",
                      fmt::format("{} on links of VIPs: {} ({})", short_count(counter.count()),
                                  harmless(counter.name()), harmless(counter.meaning())),
                      screen.width);
}

// What this node does itself.
std::string own_sheet(const control::Peers& peers, const Screen& screen) {
    Sheet sheet(screen.colours);
    sheet.wrapped("Heartbeats",
                  fmt::format("every {:g}ms, dead after {} silent ones; {}", peers.interval_ms(),
                              peers.dead_after(), harmless(peers.heartbeat_priority())),
                  screen.width);
    if (peers.slept() > 0)
        sheet.line("Late", fmt::format("the heartbeat thread, {}, at most {}",
                                       counted(peers.slept(), "time", "times"),
                                       delay(peers.slept_longest_ms())));
    sheet.line("Key",
               peers.key().empty()
                   ? "-"
                   : fmt::format("{}, {}", harmless(peers.key()),
                                 peers.accepted_keys() > 1
                                     ? fmt::format("{} are accepted: a rotation is under way",
                                                   peers.accepted_keys())
                                     : "no other is accepted"));
    own_paths(sheet, peers, screen);
    if (screen.detail) {
        sheet.line("Configuration", "hash " + harmless(peers.config_hash()));
        sheet.line("Rings", "hash " + harmless(peers.ring_hash()));
        sheet.line("Shared",
                   fmt::format("{}, digest {}", counted(peers.shared_items(), "item", "items"),
                               harmless(peers.shared_digest())));
    }
    return "\n" + sheet.text();
}

std::string detail_of(const Peer& peer, const Screen& screen) {
    Sheet sheet(screen.colours);
    if (!is_live(peer))
        sheet.line("Heard", "no");
    else
        sheet.line("Heard", peer.hears_us() ? "yes, and it hears this node"
                                            : "yes, but it does not hear this node");
    if (peer.deaths() > 0)
        sheet.line("Died", counted(peer.deaths(), "time", "times") + " since this daemon started");
    if (is_live(peer))
        sheet.line("In step", peer.peer_synced() ? "so it says of itself" : "not by its own words");
    if (peer.stream())
        sheet.wrapped(
            "Stream",
            fmt::format("{}; {} sent, {} received", harmless(peer.stream_path()),
                        short_bytes(peer.bytes_sent()), short_bytes(peer.bytes_received())),
            screen.width);
    for (const auto& path : peer.paths())
        if (path.replayed() > 0)
            sheet.line("Replayed",
                       fmt::format("{} from {}: heard before, or of a run that is over",
                                   short_count(path.replayed()), harmless(path.address())));
    for (const auto& counter : peer.counters())
        sheet.wrapped("Counted",
                      fmt::format("{}  {} ({})", short_count(counter.count()),
                                  harmless(counter.name()), harmless(counter.meaning())),
                      screen.width);
    return "\n" + paint(harmless(peer.name()), Colour::bold, screen.colours) + "\n" + sheet.text();
}

std::string path_words(const Peer& peer) {
    const auto up = std::count_if(peer.paths().begin(), peer.paths().end(),
                                  [](const auto& path) { return path.heard() && path.hears_us(); });
    return fmt::format("{} of {}", up,
                       counted(static_cast<std::uint64_t>(peer.paths_size()), "path", "paths"));
}

constexpr int most_peer_lines = 4;

bool is_well(const Peer& peer) {
    return peer.state() == Peer::PEER_ALIVE && peer.synced() && !peer.leaving() &&
           peer.config_equal() && peer.ring_equal() &&
           std::all_of(peer.paths().begin(), peer.paths().end(),
                       [](const auto& path) { return path.heard() && path.hears_us(); });
}

// What takes over has to know the same services, and to choose alike. Empty: not heard yet.
Cell same_words(const Peer& peer) {
    const bool other_config = peer.has_config_equal() && !peer.config_equal();
    const bool other_ring = peer.has_ring_equal() && !peer.ring_equal();
    if (other_config && other_ring) return {"OTHER CONFIG AND RINGS", Colour::red};
    if (other_config) return {"OTHER CONFIG", Colour::red};
    if (other_ring) return {"OTHER RINGS", Colour::red};
    return {peer.has_config_equal() && peer.has_ring_equal() ? "same config and rings" : ""};
}

std::string peer_words(const Peer& peer, bool colours) {
    const auto painted = [&](const Cell& cell) { return paint(cell.text, cell.colour, colours); };
    std::string text = fmt::format("{} {} for {}", harmless(peer.name()), painted(state_cell(peer)),
                                   short_duration(peer.state_seconds()));
    if (!is_live(peer)) return text;
    text += ", " + painted(sessions_cell(peer));
    if (peer.has_lag_ms()) text += ", lag " + delay(peer.lag_ms());
    text += ", " + path_words(peer);
    const Cell same = same_words(peer);
    return same.text.empty() ? text : text + ", " + painted(same);
}

}  // namespace

std::string render_peers(const control::Peers& peers, const Screen& screen) {
    if (!peers.in_cluster()) return "this node is by itself: its configuration has no [cluster]\n";
    const Cell verdict = verdict_of(peers);
    std::string text =
        fmt::format("{} of {}  {}\n\n", paint(harmless(peers.node()), Colour::bold, screen.colours),
                    harmless(peers.cluster()), paint(verdict.text, verdict.colour, screen.colours));
    text += peer_table(peers, screen) + path_table(peers, screen) + own_sheet(peers, screen);
    if (screen.detail)
        for (const Peer& peer : peers.peers())
            text += detail_of(peer, screen);
    return text;
}

void peer_lines(Sheet& sheet, const control::Peers& peers, const Screen& screen) {
    // Of a large cluster only those that are not well have a line each.
    const bool few = peers.peers_size() <= most_peer_lines;
    int told = 0;
    int well = 0;
    int ill = 0;
    double lag = 0;
    for (const Peer& peer : peers.peers()) {
        if (!few && is_well(peer)) {
            ++well;
            lag = std::max(lag, peer.lag_ms());
            continue;
        }
        if (told < most_peer_lines) {
            sheet.fitted(
                "Peer", [&](bool colours) { return peer_words(peer, colours); }, screen.width);
            ++told;
        } else {
            ++ill;
        }
    }
    if (ill > 0) sheet.line("Peer", fmt::format("and {} more: bascule show peers", ill));
    if (well > 0)
        sheet.line("Peer", fmt::format("{} alive and in step, lag at most {}, by all paths, same "
                                       "config and rings",
                                       well, delay(lag)));
}

}  // namespace bascule::cli
