// SPDX-License-Identifier: Apache-2.0
#include "cli/keygen.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "cli/console.h"
#include "cli/json.h"
#include "cli/secret_file.h"
#include "cli/table.h"
#include "cli/wrap.h"

namespace bascule::cli {

namespace {

constexpr const char* usual_file = "/etc/bascule/cluster.key";

// What has been done, for people and for programs.
struct Done {
    sync::ClusterKeys keys;
    bool changed = true;
    std::string said;
    std::vector<std::string> next;  // what is left to the operator, in its order
};

// The command as it is to be typed: the file only where it is not the usual one.
std::string command_of(const Keygen& task, const std::string& options) {
    return "`bascule keygen" + options + (task.file == usual_file ? "" : " " + task.file) + "`";
}

std::string copy_of(const Keygen& task) {
    return "copy " + task.file + " to the other nodes, with its owner and its mode 0600";
}

Result<sync::RingSecret> read_ring(const std::string& path) {
    const auto wrong = [&](const std::string& why) {
        return failure(path + ": " + why +
                       "; wanted is the ring.key of a node that ran alone, from its state "
                       "directory (/var/lib/bascule/ring.key as a rule)");
    };
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return failure(Error::system(path, errno));
    struct stat status {};
    std::array<std::uint8_t, 17> bytes{};  // one more: to see that there is none
    const bool regular = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    const ssize_t size = regular ? ::read(fd, bytes.data(), bytes.size()) : 0;
    const int code = errno;
    ::close(fd);
    if (size < 0) return failure(Error::system(path, code));
    if (!regular) return wrong("is not a regular file");
    sync::RingSecret ring{};
    if (size != static_cast<ssize_t>(ring.size()))
        return wrong("has " + std::to_string(status.st_size) + " bytes instead of 16");
    std::copy_n(bytes.begin(), ring.size(), ring.begin());
    if (ring == sync::RingSecret{}) return wrong("has zeros alone");
    return ring;
}

Result<Done> make(const Keygen& task) {
    auto keys = sync::make_cluster_keys();
    if (!keys) return failure(std::move(keys.error()));
    std::string ring_text = "a new ring secret";
    if (!task.ring_from.empty()) {
        const auto ring = read_ring(task.ring_from);
        if (!ring) return failure(ring.error());
        keys->ring = *ring;
        ring_text = "the ring secret of " + task.ring_from;
    }
    struct stat status {};
    const bool there = ::lstat(task.file.c_str(), &status) == 0;
    auto made = there ? Result<void>(failure(Error::system(task.file, EEXIST)))
                      : create_secret_file(task.file, sync::to_text(*keys));
    if (!made && (there || ::lstat(task.file.c_str(), &status) == 0))
        return failure(task.file +
                       ": is there already and is left as it is. To exchange the key: " +
                       command_of(task, " --rotate add"));
    if (!made) return failure(std::move(made.error()));
    std::string said = "made " + task.file + ": a new key, " + sync::fingerprint(keys->keys[0]) +
                       ", and " + ring_text;
    return Done{*std::move(keys), true, std::move(said), {copy_of(task)}};
}

std::vector<std::string> after(const Keygen& task, KeyStep step) {
    std::vector<std::string> next = {copy_of(task), "`bascule reload` on every node, this one too"};
    if (step == KeyStep::add) next.push_back("then " + command_of(task, " --rotate switch"));
    if (step == KeyStep::switch_to) next.push_back("then " + command_of(task, " --rotate drop"));
    return next;
}

Result<Done> rotate(const Keygen& task) {
    auto keys = sync::read_cluster_keys(task.file);
    if (!keys) return failure(std::move(keys.error()));
    const auto fresh = sync::make_secret_key();
    if (!fresh) return failure(fresh.error());
    auto rotated = rotate_keys(*std::move(keys), *task.rotate, *fresh);
    if (!rotated) return failure(std::move(rotated.error()).within(task.file));
    if (rotated->changed)
        if (auto put = replace_secret_file(task.file, sync::to_text(rotated->keys)); !put)
            return failure(std::move(put.error()));
    return Done{std::move(rotated->keys), rotated->changed,
                task.file + ": " + std::move(rotated->said), after(task, *task.rotate)};
}

Json json_of(const Options& options, const Keygen& task, const Done& done) {
    using Rotation = sync::ClusterKeys::Rotation;
    Json document = json_head(options.command, true);
    document["file"] = task.file;
    document["step"] = task.rotate ? Json(name_of(*task.rotate)) : Json("make");
    document["changed"] = done.changed;
    document["said"] = done.said;
    document["keys"] = Json::array();
    for (std::size_t n = 0; n < done.keys.keys.size(); ++n) {
        const bool marked = done.keys.rotation != Rotation::none && n == done.keys.marked;
        const Json mark =
            marked ? Json(done.keys.rotation == Rotation::added ? "new" : "old") : Json();
        document["keys"].push_back({{"fingerprint", sync::fingerprint(done.keys.keys[n])},
                                    {"spoken_by", n == 0},
                                    {"mark", mark}});
    }
    document["next"] = done.next;
    return document;
}

}  // namespace

int keygen(const Options& options, const Keygen& task) {
    const auto done = task.rotate ? rotate(task) : make(task);
    if (!done) return fail(options, kFailed, "refused", harmless(done.error().text()));
    if (options.json) {
        print(to_text(json_of(options, task, *done)));
        return kWell;
    }
    const std::size_t width = screen_of(1, options).width;
    print(wrap("", harmless(done->said), width));
    for (const std::string& step : done->next)
        print(wrap("  -> ", harmless(step), width));
    return kWell;
}

}  // namespace bascule::cli
