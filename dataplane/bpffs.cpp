// SPDX-License-Identifier: Apache-2.0
#include "dataplane/bpffs.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "bpf/contract.h"
#include "dataplane/libbpf_log.h"

namespace bascule::dataplane {

namespace {

bool exists(const std::string& path) {
    struct stat info;
    return ::stat(path.c_str(), &info) == 0;
}

Result<void> check_is_bpffs(const std::string& path) {
    struct statfs info;
    if (::statfs(path.c_str(), &info) != 0) return failure(bpf_error(path, errno));
    if (info.f_type != BPF_FS_MAGIC)
        return failure(path + " is not on a bpffs: mount -t bpf bpf /sys/fs/bpf");
    return {};
}

}  // namespace

Pins::Pins(const std::string& bpffs)
    : root(bpffs),
      version(root + "/v" + std::to_string(BSC_LAYOUT_VERSION)),
      maps(version + "/maps"),
      next(version + "/maps_next"),
      links(version + "/links"),
      probe(version + "/probe") {}

std::string Pins::link(const std::string& interface) const {
    return links + "/" + pin_name_of(interface);
}

std::string pin_name_of(const std::string& interface) {
    std::string name = interface;
    std::replace(name.begin(), name.end(), '.', ':');
    return name;
}

std::string interface_of_pin(const std::string& name) {
    std::string interface = name;
    std::replace(interface.begin(), interface.end(), ':', '.');
    return interface;
}

Result<void> make_directory(const std::string& path) {
    if (exists(path)) return check_is_bpffs(path);
    const std::string parent = std::filesystem::path(path).parent_path().string();
    if (parent.empty() || parent == path) return failure(path + " is not an absolute path");
    if (auto made = make_directory(parent); !made) return made;
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return failure(bpf_error("make " + path, errno));
    return {};
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator entries(path, error);
    if (error == std::errc::no_such_file_or_directory) return names;
    for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error))
        names.push_back(entries->path().filename().string());
    if (error) return failure(bpf_error("read " + path, error.value()));
    std::sort(names.begin(), names.end());
    return names;
}

Result<std::vector<std::string>> list_versions(const std::string& bpffs) {
    std::vector<std::string> versions;
    if (!exists(bpffs)) return versions;
    if (auto is = check_is_bpffs(bpffs); !is) return failure(std::move(is.error()));
    auto names = list_directory(bpffs);
    if (!names) return failure(std::move(names.error()));
    // Nothing but our own: the directory may be one that others pin in, too.
    for (const std::string& name : *names)
        if (name.size() > 1 && name[0] == 'v' &&
            name.find_first_not_of("0123456789", 1) == std::string::npos)
            versions.push_back(bpffs + "/" + name);
    return versions;
}

Result<std::optional<Descriptor>> open_pin(const std::string& path) {
    const int fd = bpf_obj_get(path.c_str());
    if (fd >= 0) return std::optional<Descriptor>(Descriptor(fd));
    if (errno == ENOENT) return std::optional<Descriptor>();
    return failure(bpf_error("open " + path, errno));
}

Result<void> pin(int fd, const std::string& path) {
    if (bpf_obj_pin(fd, path.c_str()) != 0) return failure(bpf_error("pin " + path, errno));
    return {};
}

Result<void> unpin(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        return failure(bpf_error("remove " + path, errno));
    return {};
}

Result<void> rename_pin(const std::string& from, const std::string& to) {
    if (from != to && ::rename(from.c_str(), to.c_str()) != 0)
        return failure(bpf_error("rename " + from + " to " + to, errno));
    return {};
}

Result<void> remove_directory(const std::string& path) {
    auto names = list_directory(path);
    if (!names) return failure(std::move(names.error()));
    for (const std::string& name : *names)
        if (auto gone = unpin(path + "/" + name); !gone) return gone;
    if (::rmdir(path.c_str()) != 0 && errno != ENOENT)
        return failure(bpf_error("remove " + path, errno));
    return {};
}

Result<void> remove_version(const std::string& version) {
    for (const char* part : {"/links", "/probe", "/maps", "/maps_next", ""})
        if (auto gone = remove_directory(version + part); !gone) return gone;
    return {};
}

Result<void> put_in_place(const std::string& from, const std::string& to) {
    const unsigned flags = exists(to) ? RENAME_EXCHANGE : RENAME_NOREPLACE;
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) != 0)
        return failure(bpf_error("rename " + from + " to " + to, errno));
    return {};
}

}  // namespace bascule::dataplane
