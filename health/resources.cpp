// SPDX-License-Identifier: Apache-2.0
#include "health/resources.h"

namespace bascule::health {

void ProbeResourcesFree::operator()(ProbeResources* resources) const {
    delete resources;
}

SharedResources make_resources(boost::asio::io_context& io) {
    return SharedResources(new ProbeResources(io));
}

}  // namespace bascule::health
