// SPDX-License-Identifier: Apache-2.0
#include "sync/cluster_key.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <span>

#include "base/descriptor.h"

namespace bascule::sync {
namespace {

constexpr std::size_t most_bytes = 4096;

template <typename Secret>
void append_hex(std::string& text, const Secret& secret) {
    constexpr char digits[] = "0123456789abcdef";
    for (const std::uint8_t byte : secret) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
}

// Words of a line, as views into it.
std::vector<std::string_view> words_of(std::string_view line) {
    constexpr std::string_view spaces = " \t\r";
    std::vector<std::string_view> words;
    for (std::size_t at = 0; (at = line.find_first_not_of(spaces, at)) != std::string_view::npos;) {
        const std::size_t end = std::min(line.find_first_of(spaces, at), line.size());
        words.push_back(line.substr(at, end - at));
        at = end;
    }
    return words;
}

// What the text says may be a secret with a slip in it: errors count and never quote.
template <typename Secret>
Result<Secret> parse_secret(std::string_view digits, std::string_view what) {
    Secret secret{};
    if (digits.size() != 2 * secret.size())
        return failure(std::string(what) + " has " + std::to_string(2 * secret.size()) +
                       " hex digits, here are " + std::to_string(digits.size()));
    for (std::size_t n = 0; n < secret.size(); ++n) {
        const char* const first = digits.data() + 2 * n;
        const auto [end, error] = std::from_chars(first, first + 2, secret[n], 16);
        if (error != std::errc() || end != first + 2) {
            const std::size_t bad = 2 * n + (end == first + 1 ? 2 : 1);
            return failure(std::string(what) + " has hex digits, its character " +
                           std::to_string(bad) + " is none");
        }
    }
    if (std::all_of(secret.begin(), secret.end(), [](std::uint8_t byte) { return byte == 0; }))
        return failure(std::string(what) + " of zeros alone is no secret");
    return secret;
}

class Parser {
public:
    Result<ClusterKeys> parse(std::string_view text) {
        keys_.keys.reserve(most_cluster_keys);  // so that it leaves no copies behind
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = std::min(text.find('\n', at), text.size());
            ++line_;
            if (auto good = take(text.substr(at, end - at)); !good)
                return failure(std::move(good.error()).within("line " + std::to_string(line_)));
            at = end + 1;
        }
        if (!has_ring_) return failure("no line begins with 'ring'");
        if (keys_.keys.empty()) return failure("no line begins with 'key'");
        return std::move(keys_);
    }

private:
    Result<void> take(std::string_view line) {
        const auto words = words_of(line);
        if (words.empty() || words[0].front() == '#') return {};
        const bool is_key = words[0] == "key";
        if (!is_key && words[0] != "ring")
            return failure("expected 'ring', 'key' or '#' at its beginning");
        if (words.size() == 1) return failure("nothing follows '" + std::string(words[0]) + "'");
        if (is_key) return take_key(words);
        if (words.size() > 2) return failure("something follows the ring secret");
        return take_ring(words[1]);
    }

    Result<void> take_ring(std::string_view digits) {
        if (has_ring_) return failure("a second ring secret; a cluster has one, for ever");
        auto ring = parse_secret<RingSecret>(digits, "a ring secret");
        if (!ring) return failure(std::move(ring.error()));
        keys_.ring = *ring;
        has_ring_ = true;
        return {};
    }

    Result<void> take_key(const std::vector<std::string_view>& words) {
        if (keys_.keys.size() == most_cluster_keys)
            return failure("a key too many; at most " + std::to_string(most_cluster_keys) +
                           " are possible");
        auto key = parse_secret<SecretKey>(words[1], "a key");
        if (!key) return failure(std::move(key.error()));
        if (std::find(keys_.keys.begin(), keys_.keys.end(), *key) != keys_.keys.end())
            return failure("this key is there already");
        if (words.size() > 2)
            if (auto good = take_mark(words); !good) return good;
        keys_.keys.push_back(*key);
        OPENSSL_cleanse(key->data(), key->size());
        return {};
    }

    Result<void> take_mark(const std::vector<std::string_view>& words) {
        if (words.size() > 3 || (words[2] != "new" && words[2] != "old"))
            return failure("only 'new' or 'old' may follow a key");
        if (keys_.keys.empty())
            return failure("the first key is the one that is spoken by, neither 'new' nor 'old'");
        if (keys_.rotation != ClusterKeys::Rotation::none)
            return failure("a second key that is 'new' or 'old'; a rotation has one");
        keys_.rotation =
            words[2] == "new" ? ClusterKeys::Rotation::added : ClusterKeys::Rotation::switched;
        keys_.marked = keys_.keys.size();
        return {};
    }

    std::size_t line_ = 0;
    ClusterKeys keys_;
    bool has_ring_ = false;
};

template <typename Secret>
Result<void> fill(Secret& secret) {
    for (;;) {
        if (::getrandom(secret.data(), secret.size(), 0) == static_cast<ssize_t>(secret.size()))
            return {};
        if (errno != EINTR) return failure(Error::system("getrandom", errno));
    }
}

std::string octal(mode_t mode) {
    char digits[8] = {};
    const auto [end, error] = std::to_chars(std::begin(digits), std::end(digits), mode & 07777U, 8);
    return {std::begin(digits), end};
}

Result<void> check_file(const struct stat& status, const std::string& path) {
    if (!S_ISREG(status.st_mode)) return failure("is not a regular file");
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
        return failure("belongs to user " + std::to_string(status.st_uid) +
                       ", not to root or to user " + std::to_string(::geteuid()) +
                       ", whom this program runs as: chown root " + path);
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return failure("others may read or change it (mode " + octal(status.st_mode) +
                       "): chmod 600 " + path + ", and when they may have read it, rotate the key");
    if (status.st_size > static_cast<off_t>(most_bytes))
        return failure("has " + std::to_string(status.st_size) + " bytes; a key file has at most " +
                       std::to_string(most_bytes));
    return {};
}

Result<std::size_t> read_all(int fd, std::span<char> buffer) {
    std::size_t size = 0;
    while (size < buffer.size()) {
        const ssize_t count = ::read(fd, buffer.data() + size, buffer.size() - size);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return failure(Error::system("read", errno));
        if (count == 0) break;
        size += static_cast<std::size_t>(count);
    }
    return size;
}

}  // namespace

ClusterKeys::~ClusterKeys() {
    OPENSSL_cleanse(ring.data(), ring.size());
    for (SecretKey& key : keys)
        OPENSSL_cleanse(key.data(), key.size());
}

Result<ClusterKeys> parse_cluster_keys(std::string_view text) {
    return Parser().parse(text);
}

std::string to_text(const ClusterKeys& keys) {
    std::string text =
        "# Bascule: the secrets of a cluster, the same on each of its nodes. Whoever reads them "
        "is\n"
        "# a node of it. Made by `bascule keygen`; to exchange the key without an outage:\n"
        "#   bascule keygen --rotate add, then copy this file to every node and `bascule reload`\n"
        "#   there; the same with --rotate switch, and then with --rotate drop.\n"
        "# The first key is the one that this node speaks by; all of them are accepted.\n"
        "# The ring secret chooses backends. It is never changed: flows would move.\n"
        "ring ";
    append_hex(text, keys.ring);
    text += '\n';
    for (std::size_t n = 0; n < keys.keys.size(); ++n) {
        text += "key  ";
        append_hex(text, keys.keys[n]);
        if (keys.rotation != ClusterKeys::Rotation::none && n == keys.marked)
            text += keys.rotation == ClusterKeys::Rotation::added ? " new" : " old";
        text += '\n';
    }
    return text;
}

Result<SecretKey> make_secret_key() {
    SecretKey key{};
    if (auto filled = fill(key); !filled) return failure(std::move(filled.error()));
    return key;
}

Result<ClusterKeys> make_cluster_keys() {
    ClusterKeys keys;
    if (auto filled = fill(keys.ring); !filled) return failure(std::move(filled.error()));
    auto key = make_secret_key();
    if (!key) return failure(std::move(key.error()));
    keys.keys.push_back(*key);
    OPENSSL_cleanse(key->data(), key->size());
    return keys;
}

std::string fingerprint(const SecretKey& key) {
    std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
    SHA256(key.data(), key.size(), digest.data());
    std::string text;
    append_hex(text, std::span(digest).first(4));
    return text;
}

Result<ClusterKeys> read_cluster_keys(const std::string& path) {
    // A pipe must not hold up the daemon: opened without waiting, then looked at.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (file.get() < 0) {
        const int code = errno;
        if (code == ENOENT)
            return failure(path +
                           ": there is no such file: on the first node make it with `bascule "
                           "keygen " +
                           path + "`, on the others copy it from there");
        return failure(Error::system(path, code));
    }
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return failure(Error::system(path, errno));
    if (auto good = check_file(status, path); !good)
        return failure(std::move(good.error()).within(path));
    std::array<char, most_bytes + 1> buffer{};
    const auto size = read_all(file.get(), buffer);
    auto keys =
        !size ? Result<ClusterKeys>(failure(size.error()))
        : *size > most_bytes
            ? Result<ClusterKeys>(failure("has more than " + std::to_string(most_bytes) + " bytes"))
            : parse_cluster_keys({buffer.data(), *size});
    OPENSSL_cleanse(buffer.data(), buffer.size());
    if (!keys) return failure(std::move(keys.error()).within(path));
    return keys;
}

}  // namespace bascule::sync
