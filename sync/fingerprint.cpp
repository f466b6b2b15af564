// SPDX-License-Identifier: Apache-2.0
#include "sync/fingerprint.h"

#include <bit>
#include <cstddef>

namespace bascule::sync {
namespace {

static_assert(partitions == 1U << 10);

// What is hashed says what it is, so that a list is never equal to a flow.
enum class Domain : std::uint64_t { flow = 1, targets = 2, random = 3 };

class Sip {
public:
    Sip(const RingSecretWords& key, Domain domain)
        : v0_(key[0] ^ 0x736f6d6570736575ULL),
          v1_(key[1] ^ 0x646f72616e646f6dULL),
          v2_(key[0] ^ 0x6c7967656e657261ULL),
          v3_(key[1] ^ 0x7465646279746573ULL ^ static_cast<std::uint64_t>(domain)) {}

    void add(std::uint64_t word) {
        v3_ ^= word;
        round();
        v0_ ^= word;
    }
    std::uint64_t result() const {
        Sip last = *this;
        last.v2_ ^= 0xff;
        last.round();
        last.round();
        last.round();
        return last.v0_ ^ last.v1_ ^ last.v2_ ^ last.v3_;
    }

private:
    void round() {
        v0_ += v1_;
        v1_ = std::rotl(v1_, 13) ^ v0_;
        v0_ = std::rotl(v0_, 32);
        v2_ += v3_;
        v3_ = std::rotl(v3_, 16) ^ v2_;
        v0_ += v3_;
        v3_ = std::rotl(v3_, 21) ^ v0_;
        v2_ += v1_;
        v1_ = std::rotl(v1_, 17) ^ v2_;
        v2_ = std::rotl(v2_, 32);
    }

    std::uint64_t v0_;
    std::uint64_t v1_;
    std::uint64_t v2_;
    std::uint64_t v3_;
};

std::uint64_t big_endian(const Address::Bytes& bytes, std::size_t from) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < sizeof word; ++i)
        word = word << 8 | bytes[from + i];
    return word;
}

}  // namespace

Fingerprinter::Prints Fingerprinter::of(const Flow& flow, TargetId target) const {
    Sip sip(key_, Domain::flow);
    const Address::Bytes& source = flow.source.bytes();
    sip.add(big_endian(source, 0));
    sip.add(big_endian(source, sizeof(std::uint64_t)));
    sip.add(std::uint64_t{flow.source_port} << 16 | flow.destination_port);
    sip.add(flow.service);
    const auto partition = static_cast<std::uint32_t>(sip.result() >> 54);
    sip.add(target);
    return {partition, sip.result()};
}

std::uint64_t Fingerprinter::of(std::span<const TargetId> targets) const {
    Sip sip(key_, Domain::targets);
    sip.add(targets.size());
    for (const TargetId each : targets)
        sip.add(each);
    return sip.result();
}

std::uint64_t Fingerprinter::random(std::uint64_t counter) const {
    Sip sip(key_, Domain::random);
    sip.add(counter);
    return sip.result();
}

}  // namespace bascule::sync
