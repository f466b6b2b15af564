// SPDX-License-Identifier: Apache-2.0
#include "sync/vip_claim.h"

namespace bascule::sync {

const char* name_of(VipRole role) {
    switch (role) {
        case VipRole::unfit:
            return "unfit";
        case VipRole::fit:
            return "fit";
        case VipRole::ready:
            return "ready";
        case VipRole::holding:
            return "holding";
        case VipRole::offering:
            return "offering";
    }
    return "?";
}

}  // namespace bascule::sync
