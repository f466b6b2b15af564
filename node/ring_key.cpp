// SPDX-License-Identifier: Apache-2.0
#include "node/ring_key.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "node/files.h"

namespace bascule::node {

Result<std::array<std::uint64_t, 2>> load_ring_key(const std::string& state_dir) {
    std::array<std::uint64_t, 2> key{};
    const std::string path = state_dir + "/ring.key";
    auto text = read_small_file(path, 4096);
    if (!text) return failure(std::move(text.error()).within(path));
    if (*text) {
        if ((*text)->size() != sizeof key)
            return failure(path + ": holds " + std::to_string((*text)->size()) +
                           " bytes instead of 16. Bring back the old file; without it all flows "
                           "that have no session change their backend");
        std::memcpy(key.data(), (*text)->data(), sizeof key);
        return key;
    }
    if (::getrandom(key.data(), sizeof key, 0) != static_cast<ssize_t>(sizeof key))
        return failure(Error::system("getrandom", errno));
    std::string bytes(sizeof key, '\0');
    std::memcpy(bytes.data(), key.data(), sizeof key);
    if (auto written = write_file_whole(path, bytes, 0600); !written)
        return failure(std::move(written.error()));
    return key;
}

}  // namespace bascule::node
