// SPDX-License-Identifier: Apache-2.0
#include "node/vip_takers.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <optional>
#include <sstream>

#include "model/vip_id.h"
#include "node/files.h"
#include "node/vip.h"

namespace bascule::node {
namespace {

constexpr const char* file_name = "/vips-that-peers-take";
constexpr std::size_t most_line = 64;
constexpr mode_t file_mode = 0600;

Result<void> remove_file(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        return failure(Error::system("cannot be removed", errno));
    return {};
}

}  // namespace

VipTakers::VipTakers(const std::string& runtime_dir) : path_(runtime_dir + file_name) {}

void VipTakers::begin() {
    if (auto removed = remove_file(path_); !removed)
        spdlog::warn("{}: {}", path_, removed.error().text());
}

void VipTakers::set(const std::set<Address>& vips) {
    if (vips == written_) return;
    std::string text;
    for (const Address& vip : vips)
        text += vip.to_string() + "\n";
    auto done = vips.empty() ? remove_file(path_) : write_file_whole(path_, text, file_mode);
    if (done) written_ = vips;
    // Tried again with the next report.
    if (!done && !failing_) spdlog::warn("{}: {}", path_, done.error().text());
    failing_ = !done;
}

LeftVips release_left_vips(const std::string& runtime_dir) {
    LeftVips left;
    const std::string path = runtime_dir + file_name;
    const auto text = read_small_file(path, model::most_vips * most_line);
    if (!text) left.problems.push_back(path + ": " + text.error().text());
    if (!text || !*text) return left;
    // It is never looked at: nothing is watched here.
    boost::asio::io_context io;
    auto addresses = VipAddresses::open(io, [](const VipLost&) {});
    if (!addresses) {
        left.problems.push_back(addresses.error().text());
        return left;
    }
    std::istringstream lines(**text);
    for (std::string line; std::getline(lines, line);) {
        const auto vip = Address::parse(line);
        if (!vip) continue;
        const auto done = (*addresses)->remove_ours(*vip);
        if (!done)
            left.problems.push_back(done.error().text());
        else if (done->removed)
            left.released.push_back(line);
    }
    if (auto removed = remove_file(path); !removed)
        left.problems.push_back(path + ": " + removed.error().text());
    return left;
}

}  // namespace bascule::node
