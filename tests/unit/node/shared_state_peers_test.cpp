// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "node/shared_state.h"
#include "tests/unit/node/shared_node.h"

namespace bascule::node {
namespace {

using namespace testing;

// Two nodes, each the other's peer 0; messages arrive at once.
class SharedPair : public SharedTest {
protected:
    void SetUp() override {
        a_ = load(folder_.path(), "lb1");
        b_ = load(other_folder_.path(), "lb2");
        join();
    }
    void join() {
        for (auto* state : {a_.get(), b_.get()}) {
            state->set_cluster("main", 2);
            state->set_listener([this, state](const auto& keys) {
                auto& told = told_[state];
                told.insert(told.end(), keys.begin(), keys.end());
            });
        }
        a_->set_sender([this](std::size_t peer, sync::StreamMessage message) {
            EXPECT_TRUE(peer == 0 || peer == sync::every_peer);
            if (connected_) b_->on_message(0, message);
        });
        b_->set_sender([this](std::size_t peer, sync::StreamMessage message) {
            EXPECT_TRUE(peer == 0 || peer == sync::every_peer);
            if (connected_) a_->on_message(0, message);
        });
    }
    void connect() {
        connected_ = true;
        a_->on_connected(0);
        b_->on_connected(0);
    }
    void seconds(int count) {
        for (int i = 0; i < count; i++) {
            a_->on_peer_digest(0, b_->map().digest());
            b_->on_peer_digest(0, a_->map().digest());
            a_->upkeep();
            b_->upkeep();
        }
    }

    TemporaryDirectory other_folder_;
    std::unique_ptr<SharedState> a_;
    std::unique_ptr<SharedState> b_;
    bool connected_ = true;
    std::map<SharedState*, std::vector<std::string>> told_;
};

TEST_F(SharedPair, AWordIsOnBothDisksAtOnce) {
    ASSERT_TRUE(a_->put("word/web/web1", "drained"));
    EXPECT_EQ(value(*b_, "word/web/web1"), "drained");
    EXPECT_EQ(b_->find("word/web/web1")->origin, "lb1");
    EXPECT_EQ(told_[b_.get()], std::vector<std::string>{"word/web/web1"});
    EXPECT_TRUE(told_[a_.get()].empty()) << "who said it knows";
    EXPECT_EQ(value(*load(other_folder_.path(), "lb2"), "word/web/web1"), "drained");
    ASSERT_TRUE(b_->remove("word/web/web1"));
    EXPECT_EQ(value(*a_, "word/web/web1"), "(none)");
    EXPECT_EQ(value(*load(), "word/web/web1"), "(none)");
    EXPECT_EQ(a_->map().digest(), b_->map().digest());
}

TEST_F(SharedPair, WhatIsKnownIsToldToNobody) {
    ASSERT_TRUE(a_->put("word/web/web1", "drained"));
    told_.clear();
    b_->on_message(0, sync::SharedItems{{*a_->find("word/web/web1")}, {}});
    EXPECT_TRUE(told_.empty());
}

TEST_F(SharedPair, WhatWasSaidWhileApartComesTogether) {
    connected_ = false;
    ASSERT_TRUE(a_->put("word/web/web1", "drained"));
    ASSERT_TRUE(b_->put("word/web/web2", "drained"));
    ASSERT_TRUE(b_->put("word/web/web1", "disabled"));
    EXPECT_NE(a_->map().digest(), b_->map().digest());
    connect();
    EXPECT_EQ(a_->map().items(), b_->map().items());
    EXPECT_EQ(told_[a_.get()].size(), 2);
}

TEST_F(SharedPair, HeartbeatsFindWhatAStreamHasLost) {
    connected_ = false;
    ASSERT_TRUE(a_->put("word/web/web1", "drained"));
    connected_ = true;
    seconds(1);
    EXPECT_EQ(value(*b_, "word/web/web1"), "(none)");
    seconds(2);
    EXPECT_EQ(value(*b_, "word/web/web1"), "drained");
}

TEST_F(SharedPair, ATakenBackWordDoesNotReturnFromADiskThatWasAway) {
    ASSERT_TRUE(a_->put("word/web/web1", "drained"));
    const std::string old = text_of(other_folder_.file("shared.json"));
    ASSERT_TRUE(a_->remove("word/web/web1"));
    wall_ += 2 * day;
    ASSERT_TRUE(a_->put("word/web/web2", "drained"));
    seconds(125);
    EXPECT_EQ(a_->map().items().count("word/web/web1"), 0) << "forgotten";
    EXPECT_EQ(b_->map().items().count("word/web/web1"), 0);
    EXPECT_EQ(a_->map().digest(), b_->map().digest());

    std::ofstream(other_folder_.file("shared.json")) << old;
    b_ = load(other_folder_.path(), "lb2");
    a_ = load();  // what was forgotten is remembered over a restart
    told_.clear();
    join();
    EXPECT_EQ(value(*b_, "word/web/web1"), "drained");
    connect();
    EXPECT_EQ(value(*b_, "word/web/web1"), "(none)");
    EXPECT_EQ(value(*a_, "word/web/web1"), "(none)");
    EXPECT_TRUE(told_[a_.get()].empty());
    EXPECT_EQ(told_[b_.get()].size(), 3) << "its end, the other word and the floor";
    EXPECT_EQ(value(*b_, "word/web/web2"), "drained");
    EXPECT_EQ(a_->map().digest(), b_->map().digest());
    // That end is on the disk, too, and not only in memory.
    EXPECT_EQ(load()->map().items().count("word/web/web1"), 1);
}

TEST_F(SharedPair, AnotherClusterHasForgottenNothing) {
    ASSERT_TRUE(a_->put("word/web/web1", "drained"));
    ASSERT_TRUE(a_->remove("word/web/web1"));
    wall_ += 2 * day;
    seconds(125);
    EXPECT_GT(a_->map().forgotten(), 0);
    a_->set_cluster("", 1);
    a_->set_cluster("main", 2);
    EXPECT_GT(a_->map().forgotten(), 0) << "by itself for a while";
    a_->set_cluster("other", 2);
    EXPECT_EQ(a_->map().forgotten(), 0);
    const auto old = item("word/dns/dns1", "drained", sync::hybrid_from(today), "lb7");
    a_->on_message(0, sync::SharedItems{{old}, {}});
    EXPECT_EQ(value(*a_, "word/dns/dns1"), "drained");
    EXPECT_EQ(load()->map().forgotten(), 0);
}

TEST_F(SharedPair, NothingIsForgottenWithoutAllNodes) {
    ASSERT_TRUE(a_->put("word/web/web1", "drained"));
    ASSERT_TRUE(a_->remove("word/web/web1"));
    wall_ += 2 * day;
    for (auto* state : {a_.get(), b_.get()})
        state->set_cluster("main", 3);
    seconds(200);
    EXPECT_EQ(a_->map().items().count("word/web/web1"), 1);
    EXPECT_EQ(a_->map().forgotten(), 0);
    a_->set_cluster("main", 1);
    for (int i = 0; i < 200; i++)
        a_->upkeep();
    EXPECT_EQ(a_->map().items().count("word/web/web1"), 1) << "nor by itself";
}

TEST_F(SharedPair, AResyncDoesNotWriteForEachMessage) {
    a_->on_message(0, sync::SharedItems{{item("word/a/1", "v", 5)}, {}});
    a_->on_message(0, sync::SharedItems{{item("word/a/2", "v", 5)}, {}});
    EXPECT_EQ(value(*a_, "word/a/2"), "v");
    EXPECT_EQ(load()->map().items().size(), 1);
    a_->upkeep();
    EXPECT_EQ(load()->map().items().size(), 2);
    a_->on_message(0, sync::SharedItems{{item("word/a/3", "v", 5)}, {}});
    EXPECT_EQ(load()->map().items().size(), 3);
}

TEST_F(SharedPair, WithoutASenderNobodyHears) {
    a_->set_sender(nullptr);
    ASSERT_TRUE(a_->put("word/web/web1", "drained"));
    a_->on_connected(0);
    a_->upkeep();
    EXPECT_EQ(value(*b_, "word/web/web1"), "(none)");
}

TEST_F(SharedPair, OtherPeersAreNotThoseOfBefore) {
    ASSERT_TRUE(a_->put("word/web/web1", "drained"));
    ASSERT_TRUE(a_->remove("word/web/web1"));
    wall_ += 2 * day;
    a_->on_peer_digest(0, a_->map().digest());
    join();
    for (int i = 0; i < 130; i++)
        a_->upkeep();
    EXPECT_EQ(a_->map().items().count(sync::shared_floor_key), 0) << "that digest was another's";
}

TEST_F(SharedPair, WantOfRoomIsAProblem) {
    sync::SharedItems many;
    for (std::size_t i = 0; i < sync::most_shared_items; i++)
        many.items.push_back(item("word/a/" + std::to_string(i), "v", 5));
    a_->on_message(0, many);
    EXPECT_NE(a_->problem().find("no room for more shared words: 65536"), std::string::npos);
    const auto said = a_->put("word/web/web1", "drained");
    ASSERT_FALSE(said);
    EXPECT_EQ(said.error().text().find("word/web/web1: 65536 items"), 0) << said.error().text();
    a_->on_message(0, sync::SharedItems{{item("word/b/b", "v", 5)}, {}});
    EXPECT_EQ(a_->map().refused(), 1);
}

}  // namespace
}  // namespace bascule::node
