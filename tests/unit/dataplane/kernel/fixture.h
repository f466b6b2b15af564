// SPDX-License-Identifier: Apache-2.0
// A data plane in a bpffs directory of its own, opened as often as a test likes.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "bpf/contract.h"
#include "dataplane/dataplane.h"
#include "world.h"

namespace bascule::test {

class DataplaneTest : public testing::Test {
protected:
    void TearDown() override {
        plane_.reset();
        const auto gone = dataplane::Dataplane::detach_all(options_.bpffs);
        EXPECT_TRUE(gone) << gone.error().text();
    }

    // Lets go of the one before first, as a restart does.
    dataplane::Dataplane& open() {
        plane_.reset();
        auto opened = dataplane::Dataplane::open(options_);
        EXPECT_TRUE(opened) << opened.error().text();
        if (!opened) std::abort();
        plane_ = std::move(*opened);
        return *plane_;
    }
    dataplane::Attachment attach(const std::string& interface,
                                 model::XdpMode mode = model::XdpMode::automatic) {
        auto attached = plane_->attach(interface, mode);
        EXPECT_TRUE(attached) << attached.error().text();
        return attached ? *attached : dataplane::Attachment{};
    }
    std::string pin(const std::string& path) const {
        return options_.bpffs + "/v" + std::to_string(BSC_LAYOUT_VERSION) + "/" + path;
    }

    dataplane::Options options_{new_bpffs(), 10'000, 5'000, {1, 2}};
    std::unique_ptr<dataplane::Dataplane> plane_;
};

}  // namespace bascule::test
