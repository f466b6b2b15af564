// SPDX-License-Identifier: Apache-2.0
#include "sync/seal.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <utility>

#include "sync/codec.h"
#include "sync/gcm.h"
#include "sync/key_schedule.h"
#include "sync/nonces.h"

namespace bascule::sync {
namespace {

using Bytes = std::span<const std::uint8_t>;

// Where the parts of a datagram begin; a comment of seal.h says what they are.
constexpr std::array<std::uint8_t, 3> magic{'B', 'S', 'C'};
constexpr std::uint8_t format = 1;
constexpr std::size_t format_at = 3;
constexpr std::size_t cluster_at = 4;
constexpr std::size_t key_at = 8;
constexpr std::size_t sender_at = 12;
constexpr std::size_t nonce_at = 20;
constexpr std::size_t header_size = 32;
constexpr std::size_t most_plain = most_datagram - header_size - gcm_tag;

template <typename T>
void put(std::uint8_t* to, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
        to[i] = static_cast<std::uint8_t>(value >> (8 * (sizeof(T) - 1 - i)));
}

template <typename T>
T get(Bytes datagram, std::size_t at) {
    T value = 0;
    for (const std::uint8_t byte : datagram.subspan(at, sizeof(T)))
        value = static_cast<T>(value << 8 | byte);
    return value;
}

// Lives as long as its cipher is made of it.
struct Wiped {
    SecretKey key;
    ~Wiped() { OPENSSL_cleanse(key.data(), key.size()); }
};

Gcm cipher_of(const SecretKey& key, std::string_view cluster, std::string_view sender,
              Gcm::Way way) {
    const Wiped derived{heartbeat_key(key, cluster, sender)};
    return Gcm(derived.key, way);
}

const SecretKey& spoken(const ClusterKeys& keys) {
    if (keys.keys.empty()) throw std::logic_error("a cluster without a key");
    return keys.keys.front();
}

struct Words {
    const char* name;
    const char* meaning;
};

constexpr std::array<Words, unopened_reasons> words{{
    {"none", "opened"},
    {"too_short", "no heartbeat at all: too short, too long, or of another program"},
    {"other_format", "in a format of another release"},
    {"other_cluster", "of another cluster"},
    {"unknown_sender", "of a node that the configuration does not have, or has at another address"},
    {"unknown_key", "sealed with a key that this node does not have"},
    {"not_authentic", "damaged, forged, or sealed with another key"},
    {"not_understood", "authentic, but of a release that this one does not understand"},
    {"not_for_us", "meant for another node"},
}};

const Words& words_of(Unopened why) {
    return words.at(static_cast<std::size_t>(why));
}

}  // namespace

const char* name_of(Unopened why) {
    return words_of(why).name;
}

const char* meaning_of(Unopened why) {
    return words_of(why).meaning;
}

struct HeartbeatSealer::Impl {
    Gcm cipher;
    Nonces nonces;
    std::array<std::uint8_t, most_datagram> datagram{};
};

HeartbeatSealer::HeartbeatSealer(const ClusterKeys& keys, std::string cluster, std::string self)
    : impl_(new Impl{cipher_of(spoken(keys), cluster, self, Gcm::Way::seal), Nonces(), {}}) {
    std::uint8_t* const out = impl_->datagram.data();
    std::copy(magic.begin(), magic.end(), out);
    out[format_at] = format;
    put(out + cluster_at, cluster_id(cluster));
    put(out + key_at, key_id(spoken(keys)));
    put(out + sender_at, node_id(self));
}

HeartbeatSealer::~HeartbeatSealer() = default;

Bytes HeartbeatSealer::seal(const Heartbeat& heartbeat) {
    const std::string plain = encode_heartbeat(heartbeat);
    if (plain.size() > most_plain) return {};
    auto& datagram = impl_->datagram;
    const GcmNonce nonce = impl_->nonces.next();
    std::copy(nonce.begin(), nonce.end(), datagram.begin() + nonce_at);
    const Bytes hidden(reinterpret_cast<const std::uint8_t*>(plain.data()), plain.size());
    const Bytes header = Bytes(datagram).first(header_size);
    if (!impl_->cipher.seal(nonce, header, hidden, datagram.data() + header_size)) return {};
    return Bytes(datagram).first(header_size + plain.size() + gcm_tag);
}

struct HeartbeatOpener::Impl {
    struct Key {
        std::uint32_t id;
        std::vector<Gcm> ciphers;  // one for each peer
    };

    Unopened look_at(Bytes datagram) const;
    Gcm* cipher_for(std::uint32_t key, std::size_t peer);

    std::string self;
    std::vector<std::string> peers;
    std::uint32_t cluster = 0;
    std::uint64_t self_id = 0;
    std::map<std::uint64_t, std::size_t> senders;
    std::vector<Key> keys;
    std::array<std::uint8_t, most_datagram> plain{};
};

// What the header tells, before anything is computed.
Unopened HeartbeatOpener::Impl::look_at(Bytes datagram) const {
    if (datagram.size() <= header_size + gcm_tag || datagram.size() > most_datagram ||
        !std::equal(magic.begin(), magic.end(), datagram.begin()))
        return Unopened::too_short;
    if (datagram[format_at] != format) return Unopened::other_format;
    if (get<std::uint32_t>(datagram, cluster_at) != cluster) return Unopened::other_cluster;
    const auto sender = get<std::uint64_t>(datagram, sender_at);
    if (sender == self_id) return Unopened::not_for_us;
    return senders.contains(sender) ? Unopened::none : Unopened::unknown_sender;
}

Gcm* HeartbeatOpener::Impl::cipher_for(std::uint32_t key, std::size_t peer) {
    for (Key& known : keys)
        if (known.id == key) return &known.ciphers[peer];
    return nullptr;
}

HeartbeatOpener::HeartbeatOpener(const ClusterKeys& keys, std::string cluster, std::string self,
                                 const std::vector<std::string>& peers)
    : impl_(std::make_unique<Impl>()) {
    impl_->cluster = cluster_id(cluster);
    impl_->self_id = node_id(self);
    impl_->self = std::move(self);
    impl_->peers = peers;
    for (std::size_t i = 0; i < peers.size(); ++i)
        impl_->senders.emplace(node_id(peers[i]), i);
    for (const SecretKey& key : keys.keys) {
        auto& known = impl_->keys.emplace_back(Impl::Key{key_id(key), {}});
        for (const std::string& peer : peers)
            known.ciphers.push_back(cipher_of(key, cluster, peer, Gcm::Way::open));
    }
}

HeartbeatOpener::~HeartbeatOpener() = default;

HeartbeatOpener::Opened HeartbeatOpener::open(Bytes datagram) {
    Opened out;
    out.why = impl_->look_at(datagram);
    if (out.why != Unopened::none) return out;
    out.peer = impl_->senders.at(get<std::uint64_t>(datagram, sender_at));
    const auto refused = [&out](Unopened why) {
        out.why = why;
        return out;
    };
    Gcm* const cipher = impl_->cipher_for(get<std::uint32_t>(datagram, key_at), out.peer);
    if (cipher == nullptr) return refused(Unopened::unknown_key);
    GcmNonce nonce;
    std::copy_n(datagram.begin() + nonce_at, nonce.size(), nonce.begin());
    const Bytes sealed = datagram.subspan(header_size);
    if (!cipher->open(nonce, datagram.first(header_size), sealed, impl_->plain.data()))
        return refused(Unopened::not_authentic);
    auto heartbeat = decode_heartbeat(Bytes(impl_->plain).first(sealed.size() - gcm_tag));
    if (!heartbeat || heartbeat->node != impl_->peers[out.peer])
        return refused(Unopened::not_understood);
    if (heartbeat->to != impl_->self) return refused(Unopened::not_for_us);
    out.heartbeat = std::move(*heartbeat);
    return out;
}

}  // namespace bascule::sync
