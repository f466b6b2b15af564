// SPDX-License-Identifier: Apache-2.0
#include "node/shared_state.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "node/earlier_words.h"
#include "node/files.h"
#include "node/shared_file.h"

namespace bascule::node {

namespace {

// In ticks of upkeep(): between two attempts at a disk that takes nothing, two looks for what may
// be forgotten, and two log lines on what peers are refused.
constexpr std::uint64_t retry_ticks = 5;
constexpr std::uint64_t forget_ticks = 60;
constexpr std::uint64_t refusal_ticks = 60;

}  // namespace

sync::WallMilliseconds SharedState::system_wall_clock() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
    return milliseconds < 0 ? 0 : static_cast<sync::WallMilliseconds>(milliseconds);
}

SharedState::SharedState(std::string state_dir, const std::string& self, WallClock wall)
    : path_(state_dir + "/shared.json"),
      words_path_(std::move(state_dir) + "/words.json"),
      self_(self),
      wall_(std::move(wall)),
      map_(self) {}

// ---- disk ----

Result<std::unique_ptr<SharedState>> SharedState::load(const std::string& state_dir,
                                                       const std::string& self, WallClock wall) {
    std::unique_ptr<SharedState> state(new SharedState(state_dir, self, std::move(wall)));
    if (auto read = state->read(); !read) return failure(std::move(read.error()));
    if (auto taken = state->take_over_words(); !taken) return failure(std::move(taken.error()));
    return state;
}

Result<void> SharedState::read() {
    auto text = read_small_file(path_, most_shared_file);
    if (!text) return failure(std::move(text.error()).within(path_));
    if (!*text) return {};
    const auto refused = [&](const std::string& why) {
        return failure(path_ + ": holds what the operator said (drain, disable, weight) on any " +
                       "node and cannot be understood: " + why +
                       ". Mend it, or remove it: the peers, if there are any, then say it again");
    };
    auto contents = read_shared(**text);
    if (!contents) return refused(contents.error().text());
    map_ = sync::SharedMap(self_, contents->clock);
    for (const auto& item : contents->items)
        if (map_.apply(item) == sync::SharedMap::Applied::refused)
            return refused(
                fmt::format("there is no room for all of its {} items", contents->items.size()));
    map_.set_forgotten(contents->forgotten);
    cluster_ = std::move(contents->cluster);
    return {};
}

// The file goes when all of it is on disk in its new place. To find it once more does no harm: its
// items have the time when they were said.
Result<void> SharedState::take_over_words() {
    auto words = read_earlier_words(words_path_, self_);
    if (!words) return failure(std::move(words.error()));
    if (!words->found) return {};
    for (const auto& item : words->items) {
        const auto applied = map_.apply(item);
        if (applied == sync::SharedMap::Applied::refused)
            return failure(words_path_ + ": there is no room for all of its words");
        to_keep_ |= applied == sync::SharedMap::Applied::newer;
    }
    spdlog::info("{}: {} words of an earlier release are taken over", words_path_,
                 words->items.size());
    has_earlier_words_ = true;
    keep();
    return {};
}

Result<void> SharedState::write(const sync::SharedMap& map) {
    return write_file_whole(path_, write_shared(map, cluster_), 0640);
}

// What counts already.
void SharedState::keep() {
    if (to_keep_) {
        auto written = write(map_);
        const std::string before = std::exchange(
            disk_problem_, written ? ""
                                   : "shared words cannot be kept on disk, which is tried " +
                                         ("again: " + written.error().text()));
        if (!written && disk_problem_ != before) spdlog::error("{}", disk_problem_);
        if (written && !before.empty()) spdlog::info("{}: is written again", path_);
        to_keep_ = !written;
        written_lately_ = true;
    }
    if (!to_keep_ && has_earlier_words_) {
        if (::unlink(words_path_.c_str()) != 0 && errno != ENOENT)
            spdlog::warn("{}", Error::system(words_path_ + ": cannot be removed", errno).text());
        has_earlier_words_ = false;
    }
    judge();
}

// ---- said here ----

Result<void> SharedState::put(const std::string& key, const std::string& value) {
    auto item = map_.make(key, value, wall_());
    if (!item) return failure(std::move(item.error()).within(key));
    return say({*std::move(item)});
}

Result<void> SharedState::remove(const std::string& key) {
    return say(map_.make_removal(key, wall_()));
}

Result<void> SharedState::say(const std::vector<sync::SharedItem>& items) {
    if (items.empty()) return {};
    sync::SharedMap next = map_;
    for (const auto& item : items)
        if (next.apply(item) != sync::SharedMap::Applied::newer)
            return failure(item.key + ": cannot be said now");
    if (auto written = write(next); !written)
        return failure("nothing has changed, since it cannot be kept on disk: " +
                       written.error().text());
    map_ = std::move(next);
    to_keep_ = false;
    disk_problem_.clear();
    judge();
    send(sync::SharedExchange::push(items));
    return {};
}

const sync::SharedItem* SharedState::find(const std::string& key) const {
    return map_.find(key, map_.now(wall_()));
}

std::vector<sync::SharedItem> SharedState::of_kind(const std::string& kind) const {
    return map_.of_kind(kind, map_.now(wall_()));
}

// ---- peers ----

void SharedState::set_listener(std::function<void(const std::vector<std::string>&)> listener) {
    listener_ = std::move(listener);
}

void SharedState::set_self(const std::string& name) {
    self_ = name;
    map_.set_self(name);
}

void SharedState::set_cluster(const std::string& name, std::size_t nodes) {
    nodes_ = nodes;
    if (name.empty() || name == cluster_) return;
    // Another cluster never agreed to what was forgotten here.
    map_.set_forgotten(0);
    cluster_ = name;
}

void SharedState::set_sender(Sender send) {
    send_ = std::move(send);
    exchange_.reset();
}

void SharedState::send(std::vector<sync::SharedToSend> messages) {
    if (!send_) return;
    for (auto& [peer, message] : messages)
        send_(peer, std::move(message));
}

void SharedState::on_connected(std::size_t peer) {
    send(exchange_.on_connected(peer));
}

void SharedState::on_peer_digest(std::size_t peer, std::uint64_t digest) {
    exchange_.on_peer_digest(peer, digest);
}

// One write a tick is at once, so that a word is on every disk when it is heard of; a resync, which
// comes in many messages, does not write for each.
void SharedState::on_message(std::size_t peer, const sync::StreamMessage& message) {
    auto outcome = exchange_.on_message(peer, message);
    if (outcome.to_keep) {
        to_keep_ = true;
        if (!written_lately_) keep();
    }
    if (!outcome.refusal.empty()) tell_refusal(outcome.refusal);
    send(std::move(outcome.send));
    if (!outcome.changed.empty() && listener_) listener_(outcome.changed);
}

void SharedState::tell_refusal(const std::string& why) {
    if (told_refusal_ != 0 && ticks_ < told_refusal_ + refusal_ticks) return;
    told_refusal_ = ticks_ + 1;
    spdlog::warn("shared words of a peer are refused ({} until now): {}", map_.refused(), why);
}

// ---- every second ----

void SharedState::upkeep() {
    ++ticks_;
    if (disk_problem_.empty() || ticks_ % retry_ticks == 0) keep();
    send(exchange_.tick());
    if (ticks_ % forget_ticks == 0) forget();
    written_lately_ = false;
    judge();
}

void SharedState::forget() {
    if (nodes_ <= 1) {
        to_keep_ |= map_.forget_alone(wall_());
        return;
    }
    if (exchange_.in_step() + 1 < nodes_) return;
    const std::uint64_t digest = map_.digest();
    to_keep_ |= map_.forget(digest);
    // Where the disk takes nothing now there is a next time.
    if (auto floor = map_.make_floor(digest, wall_())) (void)say({*std::move(floor)});
}

void SharedState::judge() {
    problem_ = disk_problem_;
    if (!problem_.empty() || !map_.full()) return;
    problem_ = fmt::format(
        "there is no room for more shared words: {} are kept, with those that were taken back",
        map_.items().size());
}

}  // namespace bascule::node
