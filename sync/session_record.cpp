// SPDX-License-Identifier: Apache-2.0
// What a service or a target is, as bytes whose hash is its id. The bytes are part of the protocol:
// another node, or another release, has to make the same.
#include "sync/session_record.h"

#include <openssl/sha.h>

#include <array>
#include <string_view>
#include <vector>

namespace bascule::sync {
namespace {

class Identity {
public:
    explicit Identity(std::string_view what) : bytes_(what.begin(), what.end()) {}

    void add(const Address& address) {
        bytes_.insert(bytes_.end(), address.bytes().begin(), address.bytes().end());
    }
    void add(std::uint16_t number) {
        bytes_.push_back(static_cast<unsigned char>(number >> 8));
        bytes_.push_back(static_cast<unsigned char>(number & 0xff));
    }
    void add(const model::ServiceKey& service) {
        constexpr std::uint16_t tcp = 6;
        constexpr std::uint16_t udp = 17;
        add(service.vip);
        add(service.ports.first);
        add(service.ports.last);
        add(service.protocol == model::Protocol::tcp ? tcp : udp);
    }
    // 0 stands for none.
    std::uint64_t id() const {
        std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
        SHA256(bytes_.data(), bytes_.size(), digest.data());
        std::uint64_t id = 0;
        for (std::size_t i = 0; i < sizeof id; ++i)
            id = id << 8 | digest[i];
        return id == 0 ? 1 : id;
    }

private:
    std::vector<unsigned char> bytes_;
};

}  // namespace

ServiceId service_id(const model::ServiceKey& service) {
    Identity identity("bascule/1/service");
    identity.add(service);
    return identity.id();
}

TargetId target_id(const model::ServiceKey& service, const model::BackendKey& backend) {
    Identity identity("bascule/1/target");
    identity.add(service);
    identity.add(backend.address);
    identity.add(backend.port);
    return identity.id();
}

}  // namespace bascule::sync
