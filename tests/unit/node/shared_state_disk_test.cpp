// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include "node/shared_state.h"
#include "tests/unit/node/own_disk.h"
#include "tests/unit/node/shared_node.h"

namespace bascule::node {
namespace {

using namespace testing;

class SharedDisk : public SharedTest {
protected:
    // With a node whose disk has one word, and takes nothing more.
    void with_bad_disk(bool read_only, const std::function<void(OwnDisk&, SharedState&)>& body) {
        const auto why = OwnDisk::with([&](OwnDisk& disk) {
            const auto state = load(disk.path());
            ASSERT_TRUE(state->put("word/web/web1", "drained"));
            read_only ? disk.set_read_only(true) : disk.fill();
            body(disk, *state);
        });
        if (::geteuid() != 0 && !why.empty()) GTEST_SKIP() << why;
        ASSERT_EQ(why, "");
    }
    void refuses(bool read_only, const std::string& reason) {
        with_bad_disk(read_only, [&](OwnDisk& disk, SharedState& state) {
            std::size_t sent = 0;
            state.set_sender([&](std::size_t, const sync::StreamMessage&) { ++sent; });
            const std::string before = text_of(disk.path() + "/shared.json");
            const auto digest = state.map().digest();
            const auto said = state.put("word/web/web2", "drained");
            ASSERT_FALSE(said);
            EXPECT_EQ(said.error().text(),
                      "nothing has changed, since it cannot be kept on disk: " + disk.path() +
                          "/shared.json.new: cannot be written: " + reason);
            EXPECT_FALSE(state.remove("word/web/web1"));
            EXPECT_EQ(state.map().digest(), digest);
            EXPECT_EQ(text_of(disk.path() + "/shared.json"), before);
            EXPECT_FALSE(std::filesystem::exists(disk.path() + "/shared.json.new"));
            EXPECT_EQ(sent, 0);
        });
    }
    void counts_what_peers_say(bool read_only, const std::string& reason) {
        with_bad_disk(read_only, [&](OwnDisk& disk, SharedState& state) {
            std::vector<std::string> told;
            state.set_listener([&](const auto& keys) { told = keys; });
            state.on_message(0, sync::SharedItems{{item("word/web/web2", "drained", 5)}, {}});
            EXPECT_EQ(value(state, "word/web/web2"), "drained");
            EXPECT_EQ(told, std::vector<std::string>{"word/web/web2"});
            EXPECT_EQ(state.problem(),
                      "shared words cannot be kept on disk, which is tried again: " + disk.path() +
                          "/shared.json.new: cannot be written: " + reason);
            for (int i = 0; i < 20; i++)
                state.upkeep();
            EXPECT_NE(state.problem(), "");
            read_only ? disk.set_read_only(false) : disk.make_room();
            for (int i = 0; i < 6; i++)
                state.upkeep();
            EXPECT_EQ(state.problem(), "");
            EXPECT_EQ(value(*load(disk.path()), "word/web/web2"), "drained");
        });
    }
};

TEST_F(SharedDisk, ThatIsFullRefusesAWord) {
    refuses(false, "No space left on device");
}
TEST_F(SharedDisk, ThatIsReadOnlyRefusesAWord) {
    refuses(true, "Read-only file system");
}
TEST_F(SharedDisk, ThatIsFullDoesNotKeepPeersFromBeingHeard) {
    counts_what_peers_say(false, "No space left on device");
}
TEST_F(SharedDisk, ThatIsReadOnlyDoesNotKeepPeersFromBeingHeard) {
    counts_what_peers_say(true, "Read-only file system");
}
TEST_F(SharedDisk, ThatHasRoomAgainTakesAllAtTheNextWord) {
    with_bad_disk(false, [&](OwnDisk& disk, SharedState& state) {
        state.on_message(0, sync::SharedItems{{item("word/web/web2", "drained", 5)}, {}});
        disk.make_room();
        ASSERT_TRUE(state.put("word/web/web3", "drained"));
        EXPECT_EQ(state.problem(), "");
        EXPECT_EQ(load(disk.path())->of_kind("word").size(), 3);
    });
}
TEST_F(SharedDisk, ThatIsFullAtTheStartLosesNothingOfAnEarlierRelease) {
    with_bad_disk(false, [&](OwnDisk& disk, SharedState&) {
        disk.make_room();
        std::ofstream(disk.path() + "/words.json") << R"({"version": 1, "words": [
            {"service": "web", "backend": "web9", "drained": true, "said": 1700000000}]})";
        disk.fill();
        for (int i = 0; i < 2; i++) {
            const auto again = load(disk.path());
            EXPECT_NE(value(*again, "word/web/web9"), "(none)");
            EXPECT_NE(again->problem(), "");
        }
        EXPECT_TRUE(std::filesystem::exists(disk.path() + "/words.json"));
    });
}

}  // namespace
}  // namespace bascule::node
