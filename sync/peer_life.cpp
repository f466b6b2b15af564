// SPDX-License-Identifier: Apache-2.0
#include "sync/peer_life.h"

#include <algorithm>

namespace bascule::sync {

const char* name_of(Liveness liveness) {
    switch (liveness) {
        case Liveness::unknown:
            return "unknown";
        case Liveness::alive:
            return "alive";
        case Liveness::suspect:
            return "suspect";
        case Liveness::dead:
            return "dead";
    }
    return "?";
}

void PeerLife::become(Liveness liveness, Moment now) {
    liveness_ = liveness;
    since_ = now;
}

bool PeerLife::heard(Moment now) {
    last_heard_ = now;
    if (liveness_ == Liveness::alive) return false;
    become(Liveness::alive, now);
    return true;
}

bool PeerLife::answered(Moment now) {
    const bool lives = liveness_ == Liveness::alive || liveness_ == Liveness::suspect;
    if (!lives) {
        become(Liveness::suspect, now);
        probes_ = 0;
        postponed_ = 0;
        begin_round(now, Nanoseconds(0));
    }
    answered_ = true;
    return !lives;
}

PeerLife::Step PeerLife::tick(Moment now, bool slept, Nanoseconds patience, bool left) {
    if (liveness_ == Liveness::unknown || liveness_ == Liveness::dead) {
        if (now < next_question_) return {};
        next_question_ = now + interval_ * dead_after_;
        return {.ask_stream = true};
    }
    if (liveness_ == Liveness::suspect) return in_suspicion(now, slept, patience);
    if (liveness_ != Liveness::alive || now - last_heard_ < allowed_silence()) return {};
    if (left) {
        ++died_;
        become(Liveness::dead, now);
        return {.changed = true};
    }
    ++suspected_;
    become(Liveness::suspect, now);
    probes_ = 0;
    postponed_ = 0;
    Step step = begin_round(now, patience);
    step.changed = true;
    return step;
}

PeerLife::Step PeerLife::begin_round(Moment now, Nanoseconds patience) {
    const Nanoseconds round = std::clamp(patience, interval_, interval_ * dead_after_);
    judge_at_ = now + round;
    // The last one, too, has time to be answered.
    probe_gap_ = std::min(interval_, round) / probes_a_round;
    probes_left_ = probes_a_round - 1;
    ++probes_;
    next_probe_ = now + probe_gap_;
    answered_ = false;
    return {.probe = true, .ask_stream = true};
}

PeerLife::Step PeerLife::in_suspicion(Moment now, bool slept, Nanoseconds patience) {
    // Whatever was answered may have been lost while this node was away.
    if (slept && !answered_ && postponed_ < most_postponed) {
        ++postponed_;
        return begin_round(now, patience);
    }
    if (now >= judge_at_) {
        if (answered_) return begin_round(now, patience);
        ++died_;
        become(Liveness::dead, now);
        return {.changed = true};
    }
    if (probes_left_ == 0 || now < next_probe_) return {};
    --probes_left_;
    ++probes_;
    next_probe_ = now + probe_gap_;
    return {.probe = true};
}

Moment PeerLife::next() const {
    switch (liveness_) {
        case Liveness::alive:
            return last_heard_ + allowed_silence();
        case Liveness::suspect:
            return probes_left_ > 0 ? std::min(next_probe_, judge_at_) : judge_at_;
        case Liveness::unknown:
        case Liveness::dead:
            return next_question_;
    }
    return Moment::max();
}

}  // namespace bascule::sync
