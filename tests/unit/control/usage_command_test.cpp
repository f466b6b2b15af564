// SPDX-License-Identifier: Apache-2.0
// What the command says to who has mistyped it: what is wrong, what would be right, and nothing
// else.
#include "command.h"

namespace bascule::control {
namespace {

struct Mistake {
    Words words;
    std::string said;  // before "See: bascule … --help"
};

const std::vector<Mistake> mistakes = {
    {{"statsu"}, "bascule: unknown command 'statsu', did you mean 'status'?"},
    {{"help"}, "bascule: unknown command 'help', did you mean '--help'?"},
    {{"frobnicate"}, "bascule: unknown command 'frobnicate'"},
    {{"drian", "web1"}, "bascule: unknown command 'drian', did you mean 'drain'?"},
    {{"show", "sevices"}, "bascule show: unknown command 'sevices', did you mean 'services'?"},
    {{"show", "sess"}, "bascule show: unknown command 'sess', did you mean 'sessions'?"},
    {{"status", "--jsn"}, "bascule status: unknown option '--jsn', did you mean '--json'?"},
    {{"show", "drops", "--al"}, "bascule show drops: unknown option '--al', did you mean '--all'?"},
    {{"events", "--sinec=4"}, "bascule events: unknown option '--sinec', did you mean '--since'?"},
    {{"capture", "-x"}, "bascule capture: unknown option '-x'"},
    {{"status", "extra"}, "bascule status: unexpected argument 'extra'"},
    {{"drain"}, "bascule drain: BACKEND is missing"},
    {{"drain", "a", "b"}, "bascule drain: unexpected argument 'b'"},
    {{"drain", "a", "--wait", "--timeout", "5x"},
     "bascule drain: --timeout: '5x' is no duration such as 90s, 10m or 1h"},
    {{"weight", "web1"}, "bascule weight: N or --reset is missing"},
    {{"weight", "web1", "-5"}, "bascule weight: N: '-5' is no number from 0 to 65535"},
    {{"weight", "web1", "5", "--reset"}, "bascule weight: N does not go together with --reset"},
    {{"show", "sessions", "--state", "foo"},
     "bascule show sessions: --state: 'foo' is none of embryonic, adopted, closing, established"},
    {{"show", "sessions", "--limit", "0"},
     "bascule show sessions: --limit: '0' is no number from 1 to 10000"},
    {{"show", "sessions", "--limit"}, "bascule show sessions: --limit needs a value"},
    {{"keygen", "--rotate", "swich"},
     "bascule keygen: --rotate: 'swich' is none of add, switch, drop, did you mean 'switch'?"},
    {{"status", "--timeout", "x"},
     "bascule status: --timeout: 'x' is no number of seconds above 0, at most 3600"},
    {{"trace", "1", "2", "3", "4"}, "bascule trace: SRC: '1' is no address"},
    {{"capture", "--port", "70000"},
     "bascule capture: --port: '70000' is no number from 1 to 65535"},
    {{"capture", "--for", "2h"},
     "bascule capture: --for: '2h' is no time such as 30s or 10m, at most 1h"},
};

TEST_F(Command, AMistakeIsToldWithWhatWouldBeRight) {
    for (const Mistake& mistake : mistakes) {
        const Ended ended = run(mistake.words, program_);
        EXPECT_EQ(ended.code, 2) << mistake.said;
        EXPECT_EQ(ended.out, "");
        const std::string command = mistake.said.substr(0, mistake.said.find(':'));
        EXPECT_EQ(ended.err, mistake.said + "\nSee: " + command + " --help\n");
    }
}

TEST_F(Command, AMissingCommandIsToldWithAllThatThereAre) {
    const Ended ended = run({"show"}, program_);
    EXPECT_EQ(ended.code, 2);
    EXPECT_TRUE(ended.err.starts_with("bascule show: a command is missing, one of\nservices, "))
        << ended.err;
    EXPECT_TRUE(has(run({}, program_).err, " doctor,")) << ended.err;
}

TEST_F(Command, HelpIsNoMistake) {
    for (const Words& words : {Words{"--help"}, {"show", "-h"}, {"drain", "--help"}}) {
        const Ended ended = run(words, program_);
        EXPECT_EQ(ended.code, 0);
        EXPECT_EQ(ended.err, "");
        EXPECT_TRUE(has(ended.out, "\nUsage: bascule")) << ended.out;
    }
    EXPECT_TRUE(has(run({"drain", "--help"}, program_).out, "\nBACKEND is SERVICE/BACKEND"));
    EXPECT_TRUE(run({"--version"}, program_).out.starts_with("bascule "));
}

}  // namespace
}  // namespace bascule::control
