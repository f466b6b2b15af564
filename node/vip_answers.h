// SPDX-License-Identifier: Apache-2.0
// VIPs as messages of the control protocol: who holds them, who would, and why not. Thread:
// control.
#pragma once

#include "control/control.pb.h"
#include "node/daemon.h"
#include "node/vip_findings.h"

namespace bascule::node {

control::Vips make_vips(const Daemon& daemon);
// In the order of the configuration.
void fill_vips(google::protobuf::RepeatedPtrField<control::Vip>& messages, const Daemon& daemon);
void fill_witnesses(google::protobuf::RepeatedPtrField<control::Witness>& messages,
                    const Daemon& daemon);

// What vip_findings() and may_move() are asked about; valid as long as nothing else runs on this
// thread.
VipFacts gather_vip_facts(const Daemon& daemon);

}  // namespace bascule::node
