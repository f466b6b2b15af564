// SPDX-License-Identifier: Apache-2.0
// A small server for health_bench: no more work than any server has with a connection.
#pragma once

#include <cstdint>

namespace bascule::bench {

// Serves on every address of this network namespace: accepts and closes on `tcp_port`, answers with
// 200 on `http_port`. Returns only when it cannot go on: the exit status.
int serve(std::uint16_t tcp_port, std::uint16_t http_port);

}  // namespace bascule::bench
