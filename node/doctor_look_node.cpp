// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/descriptor.h"
#include "control/client.h"
#include "node/doctor_look.h"
#include "sync/cluster_key.h"

namespace bascule::node {

namespace {

constexpr std::chrono::milliseconds daemon_patience{2000};

// Somebody who listens and is silent is worse than nobody.
void look_at_daemon(const Options& options, NodeLook& look) {
    using Why = control::NoAnswer::Why;
    auto client = control::Client::connect(options.runtime_dir + "/control.sock", daemon_patience);
    control::Request request;
    request.mutable_show_drops();
    tl::expected<control::Response, control::NoAnswer> answer =
        client ? client->ask(request) : tl::unexpected(client.error());
    if (!answer) {
        const Why why = answer.error().why;
        look.daemon = why == Why::absent      ? NodeLook::Daemon::absent
                      : why == Why::forbidden ? NodeLook::Daemon::hidden
                                              : NodeLook::Daemon::silent;
        look.why = answer.error().text;
    } else if (answer->has_failure()) {
        look.daemon = NodeLook::Daemon::silent;
        look.why = answer->failure().message();
    } else {
        look.daemon = NodeLook::Daemon::runs;
    }
}

void look_at_key(const std::string& path, NodeLook& look) {
    NodeLook::KeyFile key;
    key.path = path;
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) {
        key.mode = status.st_mode;
        key.owner = status.st_uid;
    } else {
        key.missing = errno == ENOENT;
    }
    if (auto keys = sync::read_cluster_keys(path); !keys) key.readable = failure(keys.error());
    look.key = std::move(key);
}

// A file without a name, so that nothing is left behind.
Result<void> try_write(const std::string& directory) {
    const Descriptor file(::open(directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    if (file) return {};
    const int code = errno;
    // Not every file system has such files.
    if (code == EOPNOTSUPP && ::access(directory.c_str(), W_OK) == 0) return {};
    return failure(Error::system("cannot be written", code));
}

// Where it is not there yet, the daemon makes it: what counts is where.
std::string existing_part(std::string directory) {
    std::error_code ignored;
    while (!std::filesystem::exists(directory, ignored) && directory.size() > 1)
        directory = std::filesystem::path(directory).parent_path().string();
    return directory;
}

void look_at_state(const std::string& directory, NodeLook& look) {
    look.state_dir = directory;
    const std::string there = existing_part(directory);
    look.state_writable = try_write(there);
    struct statvfs space {};
    if (::statvfs(there.c_str(), &space) != 0) {
        look.state_space = failure(Error::system(there, errno));
        return;
    }
    StateSpace left;
    left.bytes = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
    // Some file systems do not count files, and say 0 of 0.
    left.files = space.f_files == 0 ? UINT64_MAX : space.f_favail;
    look.state_space = left;
}

}  // namespace

NodeLook look_at_node(const Options& options, DaemonOrNone daemon, const LoadedConfig& files,
                      const std::optional<model::Config>& config) {
    NodeLook look;
    look.self = ::geteuid();
    look.main_file = options.config;
    for (const auto& error : files.parsed.errors)
        // What is wrong with the key file is said by a code of its own.
        if (!error.message.starts_with("key_file: "))
            look.config_errors.push_back(error.to_string());
    if (daemon != nullptr) {
        look.daemon = NodeLook::Daemon::runs;
        look.config_runs = daemon->loaded().hash == files.hash;
    } else {
        look_at_daemon(options, look);
        std::error_code ignored;
        look.engine_left = std::filesystem::exists(options.bpffs, ignored) &&
                           !std::filesystem::is_empty(options.bpffs, ignored) && !ignored;
    }
    if (config && config->cluster) look_at_key(config->cluster->key_file, look);
    look_at_state(options.state_dir, look);
    return look;
}

}  // namespace bascule::node
