// SPDX-License-Identifier: Apache-2.0
// Any bytes as a heartbeat, up to what it says. The first byte (modulo 3) says where they come in:
//   0  as a datagram, to the opener: what nobody has sealed is refused
//   1  as what a datagram hides, to the decoder: what was understood says the same when it is
//      encoded again
//   2  the same, sealed with the right key, to the opener: it opens what the decoder understands
// What a member of the cluster then makes of it is takeover_fuzz's.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "sync/codec.h"
#include "sync/seal.h"
#include "tests/unit/sync/sealed.h"

namespace {

using namespace bascule::sync;
using Bytes = std::span<const std::uint8_t>;

SecretKey the_key() {
    SecretKey key;
    key.fill(7);
    return key;
}

HeartbeatOpener make_opener() {
    ClusterKeys keys;
    keys.keys = {the_key()};
    return HeartbeatOpener(keys, "main", "lb2", {"lb1", "lb3"});
}

void check_decoder(Bytes bytes) {
    const auto heartbeat = decode_heartbeat(bytes);
    if (!heartbeat) return;
    const std::string encoded = encode_heartbeat(*heartbeat);
    const auto again =
        decode_heartbeat({reinterpret_cast<const std::uint8_t*>(encoded.data()), encoded.size()});
    if (!again || encode_heartbeat(*again) != encoded) std::abort();
}

void check_sealed(Bytes plain) {
    static HeartbeatOpener opener = make_opener();
    static Sealing sealing(the_key(), "main", "lb1");
    const Datagram datagram = sealing.seal(plain);
    const auto opened = opener.open(datagram);
    const bool fits = !plain.empty() && datagram.size() <= most_datagram;
    if ((opened.why == Unopened::too_short) == fits) std::abort();
    if (opened.why == Unopened::not_authentic) std::abort();
    if (opened.why == Unopened::none && !decode_heartbeat(plain)) std::abort();
}

void check_datagram(Bytes datagram) {
    static HeartbeatOpener opener = make_opener();
    const auto opened = opener.open(datagram);
    // The seeds hold one that is sealed with this very key; no other will be found.
    if (opened.why == Unopened::none && opened.heartbeat.sequence != 42) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes rest(data + 1, size - 1);
    switch (data[0] % 3) {
        case 0:
            check_datagram(rest);
            break;
        case 1:
            check_decoder(rest);
            break;
        default:
            check_sealed(rest);
    }
    return 0;
}
