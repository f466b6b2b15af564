// SPDX-License-Identifier: Apache-2.0
// What single checks may send and expect.
#include <gtest/gtest.h>

#include "tests/unit/model/config_text.h"

namespace bascule::model {
namespace {

using namespace testing;

// `keys` begin on line 14.
std::string with_check(const std::string& type, const std::string& keys) {
    return with_service(backend_text + "[service.health]\ntype = \"" + type + "\"\n" + keys + '\n');
}

void expect_error(const std::string& type, const std::string& key, const std::string& error) {
    expect_errors(with_check(type, key), {"a.toml:14:" + error});
}

void expect_good(const std::string& type, const std::string& keys) {
    const ParsedConfig parsed = parse(with_check(type, keys));
    EXPECT_TRUE(parsed.config) << keys << '\n' << errors_text(parsed);
}

TEST(ConfigProbe, RegularExpressionsAreRe2) {
    expect_error("http", "expect_regex = 'ab(c'", "16: expect_regex: missing ): 'ab(c'");
    expect_error("tcp", "expect_regex = 'ok\\z[b'",
                 "16: expect_regex: missing ]: '[b' at its byte 5");
    expect_error("http", "expect_regex = 'a**+b'",
                 "16: expect_regex: bad repetition operator: '**' at its byte 2");
    // What RE2 leaves out, because it would take endless time.
    expect_error("http", "expect_regex = '(a)\\1'",
                 "16: expect_regex: invalid escape sequence: '\\1' at its byte 4");
    expect_good("udp", "send = \"x\"\nexpect_regex = '^\\d+ (ok|fine)$'");
}

TEST(ConfigProbe, OneWayToSayIt) {
    expect_errors(with_check("tcp", "send = \"a\"\nsend_hex = \"00\""),
                  {"a.toml:15:12: at most one of send and send_hex"});
    expect_errors(with_check("tcp", "expect_regex = \"a\"\nexpect_hex = \"00\""),
                  {"a.toml:15:14: at most one of expect_hex and expect_regex"});
    expect_errors(with_check("http", "expect_regex = \"a\"\nexpect = \"b\""),
                  {"a.toml:15:10: at most one of expect and expect_regex"});
}

TEST(ConfigProbe, BytesAreSane) {
    for (const std::string text : {"0", "0g", "00 1", "0x00", "+1", "é"})
        expect_error("tcp", "send_hex = \"" + text + "\"",
                     "12: send_hex: expected pairs of hexadecimal digits, such as \"0d 0a\", found "
                     "the string '" +
                         text + "'");
    expect_error("tcp", "send_hex = \" \"", "12: send_hex: expected 1 to 1024 bytes, found 0");
    expect_error("udp", "send = \"\"", "8: send: expected 1 to 1024 bytes, found 0");
    expect_error("tcp", "expect = \"\"", "10: expect: expected 1 to 1024 bytes, found 0");
    expect_error("tcp", "send = \"" + std::string(1025, 'x') + "\"",
                 "8: send: expected 1 to 1024 bytes, found 1025");
    expect_errors(with_check("udp", ""), {"a.toml:12:10: missing key 'send' in [service.health]: a "
                                          "server answers nothing to nothing"});
}

TEST(ConfigProbe, PathsHostsAndHeaders) {
    expect_error("http", "path = \"up\"", "8: path: 'up' does not start with '/'");
    expect_error("http", "path = \"\"", "8: path: expected 1 to 1024 bytes, found 0");
    for (const std::string path : {"/a b", "/a#b", "/é", "/a?b"})
        expect_error("http", "path = \"" + path + "\\r\\n\"",
                     "8: path: '" + path +
                         "?"
                         "?' has a character that a URL has only as %XX (a space, '#', a control "
                         "or non-ASCII character)");
    for (const std::string host : {"a b", "a/b", "a\\r\\nb", "é"})
        EXPECT_EQ(parse(with_check("http", "host = \"" + host + "\"")).errors.at(0).column, 8u)
            << host;
    expect_good("http", "host = \"www.example.org:8080\"");
    const auto header = [](const std::string& text, const std::string& shown,
                           const std::string& what) {
        expect_error("http", "headers = [\"A: b\", \"" + text + "\"]",
                     "20: headers: '" + shown + "' " + what);
    };
    header("Accept", "Accept", "has no colon: \"Name: value\" is expected");
    header("A b: c", "A b: c", "has a name that no header can have");
    header(": c", ": c", "has a name that no header can have");
    header("X: a\\r\\nY: b",
           "X: a?"
           "?Y: b",
           "has a line break or another control character");
    header("hOst: a", "hOst: a", "is set by 'host'");
    header("Content-Length: 5", "Content-Length: 5", "is for requests with a body");
    header("Connection: close", "Connection: close", "is set by 'keep_alive'");
    header("A: \\u0000", "A: ?", "has a zero byte");
    expect_error("http", "headers = \"A: b\"",
                 "11: headers: expected an array of strings, found the string 'A: b'");
    expect_error("http", "headers = [1]", "12: headers: expected a string, found the integer 1");
    expect_good("http", "headers = [\"X-A_b: c: é\", \"Accept:\"]");
}

TEST(ConfigProbe, StatusCodes) {
    for (const std::string text :
         {"", "99", "600", "200-", "-200", "299-200", "200,", "200;201", "2xx", "200-299-300"})
        expect_error("http", "status = \"" + text + "\"",
                     "10: status: expected status codes from 100 to 599, such as 200 or "
                     "\"200-299,304\", found the string '" +
                         text + "'");
    expect_error("http", "status = 42",
                 "10: status: expected status codes from 100 to 599, such as 200 or "
                 "\"200-299,304\", found the integer 42");
    expect_good("http", "status = \"100-599\"");
}

TEST(ConfigProbe, AHeadAnswerHasNoBody) {
    expect_errors(with_check("http", "method = \"HEAD\"\nexpect = \"ok\""),
                  {"a.toml:15:10: expect: an answer to HEAD has no body"});
    expect_error("http", "method = \"get\"",
                 "10: method: expected one of \"GET\", \"HEAD\", \"OPTIONS\", \"POST\", found the "
                 "string 'get'");
}

TEST(ConfigProbe, TlsKeysGoTogether) {
    expect_error("https", "certificate = \"/a\"", "15: certificate: it needs its 'key'");
    expect_error("https", "key = \"/a\"", "7: key: it needs its 'certificate'");
    expect_error("https", "ca = \"ca.pem\"",
                 "6: ca: expected the absolute path of a file, found the string 'ca.pem'");
    expect_errors(with_check("https", "verify = false\nca = \"/a\""),
                  {"a.toml:15:6: ca: with verify = false nothing is verified"});
    expect_error("https", "sni = \"10.9.0.1\"",
                 "7: sni: an address is no server name (RFC 6066, 3): leave it out");
    expect_error("https", "sni = \"a b\"", "7: sni: expected a host name, found the string 'a b'");
}

TEST(ConfigProbe, NamesAndAnswersOfDns) {
    expect_errors(with_check("dns", ""), {"a.toml:12:10: missing key 'name' in [service.health]: a "
                                          "name server has to be asked for one"});
    const std::vector<std::string> wrong{"a..b", ".a", "a b", "é", "..", std::string(64, 'a'),
                                         "a.b/c"};
    for (const std::string& name : wrong)
        expect_error("dns", "name = \"" + name + "\"",
                     "8: name: expected a domain name, found the string " +
                         (name.size() > 60 ? "'" + name.substr(0, 60) + "…'" : "'" + name + "'"));
    for (const std::string name : {".", "a", "a.", "_sip._tcp.example.org"})
        expect_good("dns", "name = \"" + name + "\"");
    const auto answer = [](const std::string& record, const std::string& text,
                           const std::string& error) {
        expect_errors(with_check("dns", "name = \"a\"\nrecord = \"" + record + "\"\nanswer = \"" +
                                            text + "\""),
                      {"a.toml:16:10: answer: " + error});
    };
    answer("A", "::1", "expected an IPv4 address for the record A, found the string '::1'");
    answer("AAAA", "10.9.0.1",
           "expected an IPv6 address for the record AAAA, found the string '10.9.0.1'");
    answer("MX", "a b", "expected a domain name for the record MX, found the string 'a b'");
    answer("SOA", "a", "not for records of type SOA");
    expect_good("dns", "name = \"a\"\nrecord = \"TXT\"\nanswer = \"v=spf1 -all\"");
    expect_errors(with_check("dns", "name = \"a\"\nrcode = \"NXDOMAIN\"\nanswer = \"10.9.0.1\""),
                  {"a.toml:16:10: answer: an answer with the code NXDOMAIN has no records"});
}

TEST(ConfigProbe, CommandsAreAbsolute) {
    expect_errors(with_check("exec", ""), {"a.toml:12:10: missing key 'command' in "
                                           "[service.health]: exec runs a program"});
    expect_error("exec", "command = [\"check.sh\"]",
                 "12: command: expected the absolute path of a program, found the string "
                 "'check.sh'");
    expect_error("exec", "command = [\"/bin/x\", 1]",
                 "22: command: expected a string, found the integer 1");
    expect_error("exec", "command = [\"/bin/x\", \"a\\u0000b\"]",
                 "22: command: 'a?b' has a zero byte");
    expect_errors(with_check("exec", "command = [\"/bin/x\"]\nuser = \"a b\""),
                  {"a.toml:15:8: user: expected a name of 1 to 63 letters, digits, '.', '_' or "
                   "'-', found the string 'a b'"});
    expect_error("exec", "command = [\"" + std::string(1025, '/') + "\"]",
                 "12: command: expected at most 1024 bytes, found the string '" +
                     std::string(60, '/') + "…'");
}

}  // namespace
}  // namespace bascule::model
