// SPDX-License-Identifier: Apache-2.0
// `bascule keygen`, with no daemon anywhere.
#include <sys/stat.h>

#include "command.h"

namespace bascule::control {
namespace {

class KeygenCommand : public Command {
protected:
    Ended keygen(Words words) const {
        words.insert(words.begin(), "keygen");
        words.push_back(path_);
        Ended result = run(words, program_);
        for (std::string* text : {&result.out, &result.err})
            for (std::size_t at; (at = text->find(path_)) != std::string::npos;)
                text->replace(at, path_.size(), "@");
        return result;
    }
    std::string text() const { return file_text(path_); }

    std::string path_ = directory_.file("cluster.key");
};

TEST_F(KeygenCommand, MakesAFileForItsOwnerAlone) {
    const Ended made = keygen({});
    EXPECT_EQ(made.code, 0) << made.err;
    EXPECT_TRUE(made.out.starts_with("made @: a new key, ")) << made.out;
    EXPECT_TRUE(has(made.out,
                    ", and a new ring secret\n  -> copy @ to the other nodes, with its "
                    "owner and its mode 0600\n"))
        << made.out;
    struct stat status {};
    ASSERT_EQ(::stat(path_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600u);
    EXPECT_TRUE(has(text(), "\nring ")) << text();
    EXPECT_TRUE(has(text(), "\nkey  ")) << text();
}

TEST_F(KeygenCommand, NeverOverwrites) {
    ASSERT_EQ(keygen({}).code, 0);
    const std::string before = text();
    const Ended again = keygen({});
    EXPECT_EQ(again.code, 1);
    EXPECT_EQ(again.out, "");
    EXPECT_EQ(again.err,
              "bascule: @: is there already and is left as it is. To exchange the key: `bascule "
              "keygen --rotate add @`\n");
    EXPECT_EQ(text(), before);
}

TEST_F(KeygenCommand, RotatesInThreeSteps) {
    ASSERT_EQ(keygen({}).code, 0);
    const std::string begun = text();
    const Ended early = keygen({"--rotate", "switch"});
    EXPECT_EQ(early.code, 1);
    EXPECT_EQ(early.err, "bascule: @: there is no new key yet: `--rotate add` comes first\n");
    EXPECT_EQ(text(), begun);
    const Ended added = keygen({"--rotate", "add"});
    EXPECT_EQ(added.code, 0);
    EXPECT_TRUE(has(added.out,
                    "  -> `bascule reload` on every node, this one too\n"
                    "  -> then `bascule keygen --rotate switch @`\n"))
        << added.out;
    EXPECT_TRUE(has(text(), " new\n"));
    const std::string once = text();
    const Ended again = keygen({"--rotate", "add"});
    EXPECT_EQ(again.code, 0) << "safe to repeat";
    EXPECT_TRUE(has(again.out, "is there already: nothing was changed\n")) << again.out;
    EXPECT_EQ(text(), once);
    EXPECT_EQ(keygen({"--rotate", "switch"}).code, 0);
    EXPECT_TRUE(has(text(), " old\n"));
    EXPECT_EQ(keygen({"--rotate", "drop"}).code, 0);
    EXPECT_NE(text(), begun);
    EXPECT_EQ(text().substr(0, text().find("\nkey")), begun.substr(0, begun.find("\nkey")))
        << "the ring secret stays for ever";
}

TEST_F(KeygenCommand, KeepsTheRingOfANodeThatRanAlone) {
    const std::string ring = directory_.file("ring.key");
    std::ofstream(ring) << "0123456789abcdef";
    EXPECT_EQ(keygen({"--ring-from", ring}).code, 0);
    EXPECT_TRUE(has(text(), "\nring 30313233343536373839616263646566\n")) << text();
}

TEST_F(KeygenCommand, WhatIsNoRingIsRefused) {
    const std::string ring = directory_.file("ring.key");
    const std::string wanted =
        "; wanted is the ring.key of a node that ran alone, from its state directory "
        "(/var/lib/bascule/ring.key as a rule)\n";
    EXPECT_EQ(keygen({"--ring-from", ring}).err,
              "bascule: " + ring + ": No such file or directory\n");
    for (const std::size_t size : {0u, 15u, 17u, 5000u}) {
        std::ofstream(ring) << std::string(size, 'x');
        const Ended refused = keygen({"--ring-from", ring});
        EXPECT_EQ(refused.code, 1);
        EXPECT_EQ(refused.err, "bascule: " + ring + ": has " + std::to_string(size) +
                                   " bytes instead of 16" + wanted);
    }
    std::ofstream(ring) << std::string(16, '\0');
    EXPECT_EQ(keygen({"--ring-from", ring}).err, "bascule: " + ring + ": has zeros alone" + wanted);
    EXPECT_EQ(keygen({"--ring-from", directory_.path()}).err,
              "bascule: " + directory_.path() + ": is not a regular file" + wanted);
    EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(KeygenCommand, WrongFilesAreNotTouched) {
    EXPECT_TRUE(
        has(keygen({"--rotate", "add"}).err, "@: there is no such file: on the first node"));
    std::ofstream(path_) << "something else\n";
    ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
    EXPECT_EQ(keygen({"--rotate", "add"}).err,
              "bascule: @: line 1: expected 'ring', 'key' or '#' at its beginning\n");
    ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
    const Ended open = keygen({"--rotate", "add"});
    EXPECT_EQ(open.code, 1);
    EXPECT_TRUE(has(open.err, "(mode 644): chmod 600 @")) << open.err;
    EXPECT_EQ(text(), "something else\n");
}

TEST_F(KeygenCommand, WrongUsageIsExplained) {
    for (const Words& words : {Words{"--rotate", "back"}, Words{"--rotate"},
                               Words{"--rotate", "add", "--ring-from", "x"}, Words{"x"}})
        EXPECT_EQ(keygen(words).code, 2) << words.back();
    EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(KeygenCommand, TellsProgramsByFingerprints) {
    json made = run_json({"keygen", path_}, 0);
    EXPECT_EQ(made["step"], "make");
    EXPECT_EQ(made["changed"], true);
    ASSERT_EQ(made["keys"].size(), 1u);
    const std::string fingerprint = made["keys"][0]["fingerprint"];
    EXPECT_EQ(fingerprint.size(), 8u);
    json added = run_json({"keygen", "--rotate", "add", path_}, 0);
    ASSERT_EQ(added["keys"].size(), 2u);
    EXPECT_EQ(added["keys"][0]["fingerprint"], fingerprint);
    EXPECT_EQ(added["keys"][0]["spoken_by"], true);
    EXPECT_EQ(added["keys"][1]["mark"], "new");
    json refused = run_json({"keygen", path_}, 1);
    EXPECT_EQ(refused["ok"], false);
    EXPECT_EQ(refused["error"]["code"], "refused");
}

}  // namespace
}  // namespace bascule::control
