// SPDX-License-Identifier: Apache-2.0
// The thread around VipHands: what goes in from one thread comes out on the right other one.
#include "node/vip_holder.h"

#include <atomic>
#include <mutex>
#include <thread>

#include "tests/unit/node/netns.h"

namespace bascule::node {
namespace {

using namespace std::chrono_literals;
using testing::ip;
using What = sync::VipDuty::What;

class Holder : public testing::Namespaces {
protected:
    void TearDown() override {
        holder_.reset();
        Namespaces::TearDown();
    }
    void make() {
        VipHolder::Callbacks callbacks;
        callbacks.on_holdings = [this](std::vector<sync::VipHolding> now) {
            const std::lock_guard lock(mutex_);
            own_thread_ &= std::this_thread::get_id() != control_;
            holdings_ = std::move(now);
        };
        callbacks.on_report = [this](const VipHolderReport& now) {
            EXPECT_EQ(std::this_thread::get_id(), control_);
            ++reports_;
            report_ = now;
        };
        callbacks.look_for_rivals = [this] {
            ++looks_;
            return std::vector<VipRival>();
        };
        holder_ = std::make_unique<VipHolder>(
            io_, std::vector<model::VipConfig>{{vip_, "eth0", {}}}, std::move(callbacks));
    }
    sync::VipDuty duty(What what, sync::Epoch epoch = 1) const {
        return {sync::vip_id(vip_), what, epoch, 0, false};
    }
    bool answered(bool here, sync::Epoch epoch) {
        const std::lock_guard lock(mutex_);
        return holdings_.size() == 1 && holdings_[0].here == here && holdings_[0].epoch == epoch;
    }
    bool is_here() const { return !shown().empty(); }
    std::string shown() const { return output("ip addr show dev eth0 to " + vip_.to_string()); }

    const Address vip_ = ip("10.9.0.100");
    const std::thread::id control_ = std::this_thread::get_id();
    std::mutex mutex_;
    std::vector<sync::VipHolding> holdings_;
    bool own_thread_ = true;
    std::atomic<int> looks_{0};
    int reports_ = 0;
    VipHolderReport report_;
    std::unique_ptr<VipHolder> holder_;
};

TEST_F(Holder, CarriesOutDutiesWhileTheControlThreadIsAway) {
    make();
    const auto wait_for = [&](bool here, sync::Epoch epoch) {
        for (int i = 0; i < 2000 && !answered(here, epoch); ++i)
            usleep(10'000);  // the control thread does nothing
        return answered(here, epoch);
    };
    holder_->set_duties({duty(What::held, 5)});
    EXPECT_TRUE(wait_for(true, 5));
    EXPECT_TRUE(is_here());
    EXPECT_EQ(reports_, 0);
    usleep(4'500'000);
    EXPECT_TRUE(is_here()) << "it is renewed meanwhile";
    EXPECT_GT(looks_, 0);
    holder_->set_duties({duty(What::absent, 5)});
    EXPECT_TRUE(wait_for(false, 5));
    EXPECT_FALSE(is_here());
    EXPECT_TRUE(own_thread_);
    // What has been reported meanwhile does not pile up.
    run_for(0ms);
    EXPECT_LE(reports_, 2);
    EXPECT_TRUE(run_until([&] { return report_.vips.size() == 1 && !report_.vips[0].here; }));
}

TEST_F(Holder, TheNewestDutiesCountHoweverManyThereWere) {
    make();
    std::thread heartbeats([&] {
        for (sync::Epoch epoch = 1; epoch <= 2000; ++epoch)
            holder_->set_duties({duty(epoch % 2 == 0 ? What::held : What::absent, epoch)});
    });
    heartbeats.join();
    EXPECT_TRUE(run_until([&] { return answered(true, 2000); }));
    EXPECT_TRUE(is_here());
}

TEST_F(Holder, WhoEndsCarriesOutTheLastDutiesAndLeavesTheAddress) {
    make();
    holder_->set_duties({duty(What::held)});
    EXPECT_TRUE(run_until([&] { return answered(true, 1); }));
    auto parting = duty(What::held);
    parting.parting = true;
    holder_->set_duties({parting});
    holder_.reset();
    const std::string text = shown();
    const auto at = text.find("valid_lft ");
    ASSERT_NE(at, std::string::npos) << text;
    EXPECT_GT(std::stoi(text.substr(at + 10)), vip_lease.count()) << text;
    const int reports = reports_;
    run_for(100ms);
    EXPECT_EQ(reports_, reports) << "nobody is told any more";
}

TEST_F(Holder, VipsAndInterfacesComeFromTheControlThread) {
    make();
    holder_->set_duties({duty(What::held)});
    EXPECT_TRUE(run_until([&] { return answered(true, 1); }));
    run("ip link add eth7 type bridge");
    holder_->set_vips({{vip_, "eth7", {}}});
    EXPECT_TRUE(run_until([&] {
        return !is_here() && !output("ip addr show dev eth7 to " + vip_.to_string()).empty();
    }));
    holder_->look_at("eth7");
    EXPECT_TRUE(
        run_until([&] { return report_.vips.size() == 1 && report_.vips[0].interface == "eth7"; }));
}

}  // namespace
}  // namespace bascule::node
