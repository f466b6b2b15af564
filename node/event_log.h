// SPDX-License-Identifier: Apache-2.0
// What has happened on this node, for `bascule events`: the last thousand changes, in memory.
//
// Thread: control.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace bascule::node {

struct Event {
    enum class Kind {
        backend_up,  // text: "again after 12s"
        backend_down,
        backend_held,    // would be up, but it has flapped
        service_up,      // can take new flows
        service_down,    // cannot: no backend, or below its quorum
        vip_given_up,    // a service of it is below its quorum
        vip_taken_back,  // or taken at last
        vip_taken,       // by this node, of the cluster: from whom and why
        vip_released,    // to whom and why
        vip_failed,      // could not be taken: why
        vip_conflict,    // another host claims it, or two nodes hold it
        witness_lost,    // none answers
        witness_back,
        program_fought,  // taken off an interface again and again; subject: "eth0"
        operator_word,   // drain, disable, enable, weight
        reload,
        reload_refused,
        peer_alive,     // text: "it is heard again", "it was restarted"
        peer_dead,      // text: why it is held for dead
        peer_synced,    // sessions are in step with it
        peer_unsynced,  // no longer: why
        peer_refused,   // its stream or its heartbeats are refused: another key, another release
        path_up,        // subject: "lb2 10.9.0.12:7400"
        path_down,
        started,
    };
    std::uint64_t serial = 0;  // from 1, without gaps
    std::chrono::system_clock::time_point when;
    Kind kind = Kind::started;
    std::string subject;  // "web/web1", "web", "10.9.0.100"
    std::string text;     // one line: why
};

// "backend_down": what programs see; never changes.
const char* name_of(Event::Kind kind);
// As it stands in the log: "backend web/web1 is down: connection refused by 10.9.0.21 (RST)".
std::string in_words(const Event& event);

class EventLog {
public:
    static constexpr std::size_t most = 1000;

    // Logs it too, as a warning when something is worse than before.
    void add(Event::Kind kind, std::string subject, std::string text);

    // Those with a serial beyond `after`, at most `limit`, oldest first.
    std::vector<Event> since(std::uint64_t after, std::size_t limit) const;
    std::uint64_t last_serial() const { return last_serial_; }
    // Serial of the oldest that is kept; of the next to come while there is none.
    std::uint64_t first_kept() const;
    // Told of each event at once; nothing: nobody.
    void set_listener(std::function<void(const Event&)> listener) {
        listener_ = std::move(listener);
    }

private:
    std::deque<Event> events_;
    std::uint64_t last_serial_ = 0;
    std::function<void(const Event&)> listener_;
};

}  // namespace bascule::node
