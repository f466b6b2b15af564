// SPDX-License-Identifier: Apache-2.0
// The node itself: daemon, files, disk. Pure; any thread.
#include <fmt/format.h>

#include "node/doctor_looks.h"

namespace bascule::node {

namespace {

constexpr std::uint64_t least_bytes = std::uint64_t{1} << 20;
constexpr std::uint64_t least_files = 16;

void judge_daemon(const NodeLook& look, Examination& examination) {
    if (look.daemon == NodeLook::Daemon::hidden) {
        examination.fail("daemon-down", look.why);
        return examination.fail("daemon-silent", look.why);
    }
    examination.look("daemon-down");
    examination.look("daemon-silent");
    if (look.daemon == NodeLook::Daemon::absent)
        examination.found("daemon-down",
                          fmt::format("no basculed runs here: {}; {}", look.why,
                                      look.engine_left ? "the engine that one has left forwards on"
                                                       : "nothing is balanced by this node"));
    if (look.daemon == NodeLook::Daemon::silent) examination.found("daemon-silent", look.why);
}

void judge_config(const NodeLook& look, Examination& examination) {
    examination.look("config-invalid");
    for (const std::string& error : look.config_errors)
        examination.found("config-invalid", error, {{"file", look.main_file}});
    if (!look.config_runs) return examination.spare("config-unread", "no basculed answers");
    if (!look.config_errors.empty())
        return examination.spare("config-unread", "the files have errors");
    examination.look("config-unread");
    if (!*look.config_runs)
        examination.found(
            "config-unread",
            fmt::format("{} is not what runs: it was changed, and not reloaded", look.main_file),
            {{"file", look.main_file}});
}

bool is_owner_trusted(const NodeLook& look) {
    return look.key->owner == 0 || look.key->owner == look.self;
}

void judge_key(const NodeLook& look, Examination& examination) {
    if (!look.key) {
        for (const char* code : {"key-missing", "key-open", "key-owner", "key-damaged"})
            examination.spare(code, "no [cluster]");
        return;
    }
    const NodeLook::KeyFile& key = *look.key;
    const Examination::Words words{{"file", key.path}};
    examination.look("key-missing");
    if (key.missing) {
        examination.found("key-missing", fmt::format("there is no {}", key.path), words);
        for (const char* code : {"key-open", "key-owner", "key-damaged"})
            examination.spare(code, "there is no key file");
        return;
    }
    examination.look("key-open");
    examination.look("key-owner");
    const bool open = (key.mode & 0077) != 0;
    if (open)
        examination.found("key-open", fmt::format("{} has mode {:04o}", key.path, key.mode & 07777),
                          words);
    if (!is_owner_trusted(look))
        examination.found("key-owner", fmt::format("{} belongs to user {}", key.path, key.owner),
                          words);
    if (open || !is_owner_trusted(look))
        return examination.spare("key-damaged", "the key file is refused before it is read");
    examination.look("key-damaged");
    if (!key.readable) examination.found("key-damaged", key.readable.error().text(), words);
}

void judge_state(const NodeLook& look, Examination& examination) {
    const Examination::Words words{{"directory", look.state_dir}};
    examination.look("state-unwritable");
    if (!look.state_writable)
        examination.found("state-unwritable",
                          fmt::format("{}: {}", look.state_dir, look.state_writable.error().text()),
                          words);
    if (!look.state_space) return examination.fail("state-full", look.state_space.error().text());
    examination.look("state-full");
    if (look.state_space->bytes < least_bytes || look.state_space->files < least_files)
        examination.found("state-full",
                          fmt::format("{} has room for {} KiB and {} files more", look.state_dir,
                                      look.state_space->bytes / 1024, look.state_space->files),
                          words);
}

}  // namespace

void judge_node(const NodeLook& look, Examination& examination) {
    judge_daemon(look, examination);
    judge_config(look, examination);
    judge_key(look, examination);
    judge_state(look, examination);
}

}  // namespace bascule::node
