// SPDX-License-Identifier: Apache-2.0
// Beside a peer of a release that this one does not understand: nothing of what it says counts but
// that it lives, whether it hears this node, and which VIPs it has.
#include "tests/unit/sync/takeover_bed.h"

namespace bascule::sync::test {
namespace {

class TakeoverForeign : public TakeoverAlone {};

// What it says means nothing here: it may have the VIP, so nobody takes it beside it.
TEST_F(TakeoverForeign, TakesNothingBesideANewerRelease) {
    begin();
    lb2().incompatible = true;
    lb2().claims.clear();
    pass(5s);
    EXPECT_EQ(duty().what, VipDuty::What::absent);
    EXPECT_EQ(role(), VipRole::unfit);
    EXPECT_EQ(view().unfit, "lb2 speaks as a newer release, and what it has is not known here");
    lb2().die();
    look();
    EXPECT_TRUE(held());
    // What it has it keeps: who is newer understands that, and keeps away.
    lb2().live();
    pass(5s);
    EXPECT_TRUE(held());
    EXPECT_EQ(found(), 5 * beat) << "a newer one takes it as any other does when this node dies";
}

// The newer one does not hear this node, takes it for dead, and has taken the VIP.
TEST_F(TakeoverForeign, LetsGoToANewerReleaseThatHasItAndDoesNotHearThisNode) {
    begin_holding();
    lb2().incompatible = true;
    lb2().say(VipRole::holding, 9, 10);
    pass(5s);
    EXPECT_TRUE(held()) << "it hears this node, and lets go";
    lb2().hears_us = false;
    pass(4 * beat);
    EXPECT_TRUE(held()) << "what it says may be as old";
    pass(2 * beat);
    EXPECT_EQ(duty().what, VipDuty::What::lingering);
    EXPECT_EQ(released(), "lb2 has it and does not hear this node");
    pass(5s);
    EXPECT_FALSE(held());
    lb2().die();
    look();
    EXPECT_TRUE(held());
}

// Nobody would have it.
TEST_F(TakeoverForeign, KeepsItBesideANewerReleaseThatDoesNotHearThisNodeAndHasItNot) {
    begin_holding();
    lb2().incompatible = true;
    lb2().hears_us = false;
    for (const VipRole role : {VipRole::unfit, VipRole::fit, VipRole::ready}) {
        lb2().say(role, 9, 10);
        pass(5s);
        EXPECT_TRUE(held());
    }
    lb2().claims = {{other_vip, VipRole::holding, 9, 10}};
    pass(5s);
    EXPECT_TRUE(held()) << "another one";
}

TEST_F(TakeoverForeign, OneThatIsIncompatibleWasHeard) {
    options.listen = 1h;
    begin();
    lb2().incompatible = true;
    look();
    EXPECT_FALSE(takeover->duties().empty());
}

}  // namespace
}  // namespace bascule::sync::test
