// SPDX-License-Identifier: Apache-2.0
// What the configuration says of checks, and what it may not say.
#include <gtest/gtest.h>

#include "tests/unit/model/config_text.h"

namespace bascule::model {
namespace {

using namespace testing;

// The table begins on line 12, its keys on line 13.
std::string with_health(const std::string& keys, const std::string& service = {}) {
    return with_service(service + backend_text + "[service.health]\n" + keys);
}

HealthConfig health(const std::string& keys, const std::string& service = {}) {
    return good(with_health(keys, service)).services.at(0).health;
}

// One key of a check of this type, on line 14.
void expect_error(const std::string& type, const std::string& key, const std::string& error) {
    expect_errors(with_health("type = \"" + type + "\"\n" + key + '\n'), {"a.toml:14:" + error});
}

TEST(ConfigHealth, DefaultsAreThoseOfTheType) {
    HealthConfig expected;
    EXPECT_EQ(good(with_service(backend_text)).services.at(0).health, expected);
    EXPECT_EQ(health("type = \"none\"\n"), expected);
    expected.type = ProbeType::http;
    expected.via = Via::vip;
    EXPECT_EQ(health("type = \"http\"\n"), expected);
    expected.type = ProbeType::icmp;
    expected.via = Via::address;
    EXPECT_EQ(health("type = \"icmp\"\n"), expected);
}

TEST(ConfigHealth, ReadsEveryKeyOfHttps) {
    HealthConfig expected;
    expected.type = ProbeType::https;
    expected.via = Via::address;
    expected.port = 8443;
    expected.source = Address::parse("10.9.0.11");
    expected.interval = Milliseconds(4000);
    expected.fast_interval = Milliseconds(200);
    expected.timeout = Milliseconds(1500);
    expected.rise = 4;
    expected.fall = 5;
    expected.slow_start = Milliseconds(30'000);
    expected.flap_limit = 7;
    expected.flap_window = Milliseconds(120'000);
    expected.hold_down = Milliseconds(20'000);
    expected.hold_down_most = Milliseconds(40'000);
    expected.expect_regex = "o[k]";
    expected.method = "POST";
    expected.path = "/up?x=1";
    expected.host = "[2001:db8::1]:8443";
    expected.headers = {"X-A: b", "Accept:"};
    expected.status = {{200, 299}, {304, 304}};
    expected.keep_alive = true;
    expected.body_limit = 100;
    expected.sni = "www.example.org";
    expected.ca = "/etc/ca.pem";
    expected.certificate = "/etc/c.pem";
    expected.key = "/etc/k.pem";
    expected.expiry_warning = Milliseconds(0);
    EXPECT_EQ(health(R"(type = "https"
via = "address"
port = 8443
source = "10.9.0.11"
interval = "4s"
fast_interval = "200ms"
timeout = "1500ms"
rise = 4
fall = 5
slow_start = "30s"
flap_limit = 7
flap_window = "2m"
hold_down = "20s"
hold_down_max = "40s"
expect_regex = "o[k]"
method = "POST"
path = "/up?x=1"
host = "[2001:db8::1]:8443"
headers = ["X-A: b", "Accept:"]
status = "200-299, 304"
keep_alive = true
body_limit = 100
sni = "www.example.org"
ca = "/etc/ca.pem"
certificate = "/etc/c.pem"
key = "/etc/k.pem"
expiry_warning = "0s"
)"),
              expected);
    EXPECT_FALSE(health("type = \"https\"\nverify = false\n").verify);
}

TEST(ConfigHealth, ReadsTheKeysOfOtherTypes) {
    const HealthConfig tcp = health("type = \"tcp\"\nsend = \"a\\r\\n\"\nexpect = \"+OK\"\n");
    EXPECT_EQ(tcp.send, "a\r\n");
    EXPECT_EQ(tcp.expect, "+OK");
    const HealthConfig udp =
        health("type = \"udp\"\nsend_hex = \"00 fF10\"\nexpect_hex = \"80\"\n");
    EXPECT_EQ(udp.send, std::string("\0\xff\x10", 3));
    EXPECT_EQ(udp.expect, "\x80");
    const HealthConfig dns = health(
        "type = \"dns\"\nname = \"_a.example.org.\"\nrecord = \"AAAA\"\nanswer = "
        "\"2001:db8::1\"\n");
    EXPECT_EQ(dns.dns_name, "_a.example.org.");
    EXPECT_EQ(dns.dns_type, "AAAA");
    EXPECT_EQ(dns.dns_rcode, "NOERROR");
    EXPECT_EQ(dns.dns_answer, "2001:db8::1");
    EXPECT_EQ(health("type = \"dns\"\nname = \".\"\nrcode = \"NXDOMAIN\"\n").dns_rcode, "NXDOMAIN");
    const HealthConfig exec =
        health("type = \"exec\"\ncommand = [\"/bin/check\", \"a b\"]\nuser = \"www-data\"\n");
    EXPECT_EQ(exec.program.command, (std::vector<std::string>{"/bin/check", "a b"}));
    EXPECT_EQ(exec.program.user, "www-data");
    EXPECT_EQ(health("type = \"http\"\nstatus = 204\n").status,
              (std::vector<StatusRange>{{204, 204}}));
}

TEST(ConfigHealth, RemembersWhereItsFilesAreNamed) {
    const Config config =
        good(with_health("type = \"https\"\nca = \"/a\"\ncertificate = \"/b\"\n  key = \"/c\"\n"));
    const auto at = [](const Origin& origin) {
        return origin.file + ':' + std::to_string(origin.line) + ':' +
               std::to_string(origin.column);
    };
    const HealthConfig& https = config.services.at(0).health;
    EXPECT_EQ(at(https.origin), "a.toml:12:10");
    EXPECT_EQ(at(https.ca_origin), "a.toml:14:6");
    EXPECT_EQ(at(https.cert_origin), "a.toml:15:15");
    EXPECT_EQ(at(https.key_origin), "a.toml:16:9");
    EXPECT_EQ(at(health("type = \"exec\"\ncommand = [\"/x\"]\n").program.origin), "a.toml:14:11");
    EXPECT_EQ(at(good(node_text + "[hook]\ncommand = [\"/x\"]\n").hook.program.origin),
              "a.toml:4:11");
}

TEST(ConfigHealth, DefaultsFollowWhatIsWritten) {
    const HealthConfig quick = health("type = \"tcp\"\ninterval = \"200ms\"\n");
    EXPECT_EQ(quick.fast_interval, Milliseconds(50));
    EXPECT_EQ(quick.timeout, Milliseconds(200));
    EXPECT_EQ(health("type = \"tcp\"\ninterval = \"1m\"\n").timeout, Milliseconds(500));
    EXPECT_EQ(health("type = \"tcp\"\nhold_down = \"1h\"\n").hold_down_most,
              Milliseconds(3'600'000));
}

TEST(ConfigHealth, AKeyOfAnotherTypeIsRefused) {
    expect_error("tcp", "path = \"/\"", "8: path: only for http and https");
    expect_error("http", "sni = \"a\"", "7: sni: only for https");
    expect_error("http", "send = \"a\"", "8: send: only for tcp and udp");
    expect_error("icmp", "port = 80", "8: port: only for tcp, http, https, udp and dns");
    expect_error("icmp", "via = \"vip\"", "7: via: only for tcp, http, https, udp and dns");
    expect_error("none", "interval = \"1s\"",
                 "12: interval: with type = \"none\" nothing is checked");
    expect_error("tcp", "user = \"nobody\"", "8: user: only for exec");
    expect_error("tcp", "pth = \"/\"", "1: unknown key 'pth', did you mean 'path'?");
}

TEST(ConfigHealth, DurationsAreSane) {
    expect_error("tcp", "interval = \"99ms\"",
                 "12: interval: expected a duration from 100ms to 1h, found the string '99ms'");
    expect_error("tcp", "interval = 5",
                 "12: interval: expected a duration with its unit, such as \"500ms\" or \"5s\", "
                 "found the integer 5");
    expect_error("tcp", "interval = \"61m\"",
                 "12: interval: expected a duration from 100ms to 1h, found the string '61m'");
    expect_error("tcp", "timeout = \"1001ms\"",
                 "11: timeout: 1001ms is longer than the interval, 1s");
    expect_error("tcp", "fast_interval = \"2s\"",
                 "17: fast_interval: 2s is longer than the interval, 1s");
    expect_error("tcp", "hold_down_max = \"5s\"",
                 "17: hold_down_max: 5s is shorter than hold_down, 10s");
    expect_error("tcp", "rise = 0",
                 "8: rise: expected an integer from 1 to 100, found the integer 0");
    expect_errors(with_health("type = \"tcp\"\nflap_limit = 0\nhold_down = \"5s\"\n"),
                  {"a.toml:15:13: hold_down: with flap_limit = 0 nothing is ever held down"});
    EXPECT_EQ(health("type = \"tcp\"\ninterval = \"1h\"\ntimeout = \"1h\"\n").timeout,
              Milliseconds(3'600'000));
}

TEST(ConfigHealth, GoesByTheVipWhereItCan) {
    const auto via = [](const std::string& type, const std::string& service,
                        const std::string& more = {}) {
        return health("type = \"" + type + "\"\n" + more, service).via;
    };
    const std::string udp = "protocol = \"udp\"\n";
    EXPECT_EQ(via("tcp", ""), Via::vip);
    EXPECT_EQ(via("https", "forward = \"ipip\"\n"), Via::vip);
    EXPECT_EQ(via("udp", udp, "send = \"x\"\n"), Via::vip);
    EXPECT_EQ(via("dns", udp, "name = \"a\"\n"), Via::vip);
    EXPECT_EQ(via("dns", "", "name = \"a\"\n"), Via::vip);
    EXPECT_EQ(via("tcp", "", "port = 80\n"), Via::vip);
    EXPECT_EQ(via("tcp", "", "port = 81\n"), Via::address);
    EXPECT_EQ(via("tcp", udp), Via::address);
    EXPECT_EQ(via("udp", "", "send = \"x\"\n"), Via::address);
    EXPECT_EQ(via("icmp", ""), Via::address);
    EXPECT_EQ(via("tcp", "", "via = \"address\"\n"), Via::address);
}

TEST(ConfigHealth, SaysWhyItCannotGoByTheVip) {
    const auto refused = [](const std::string& service, const std::string& more,
                            const std::string& why) {
        const int line = service.empty() ? 14 : 15;
        expect_errors(
            with_health("type = \"http\"\nvia = \"vip\"\n" + more, service),
            {"a.toml:" + std::to_string(line) + ":7: via: checks cannot go by the VIP: " + why});
    };
    refused("", "port = 8080\n", "port 8080 is none of the service's (80)");
    refused("protocol = \"udp\"\n", "", "the service is udp and the check is not");
    const std::string local = node_text + vip_text +
                              "[[service]]\nname = \"w\"\nvip = \"10.9.0.100\"\nport = 80\n"
                              "forward = \"local\"\n[[service.backend]]\n"
                              "[service.health]\ntype = \"tcp\"\n";
    EXPECT_EQ(good(local).services.at(0).health.via, Via::address);
    expect_errors(
        local + "via = \"vip\"\n",
        {"a.toml:14:7: via: checks cannot go by the VIP: with forward = \"local\" nothing "
         "is forwarded"});
}

TEST(ConfigHealth, AServiceOnSeveralPortsSaysWhichIsChecked) {
    const auto on = [](const std::string& ports, const std::string& keys,
                       const std::string& backend = backend_text) {
        return node_text + vip_text +
               "[[service]]\nname = \"w\"\nvip = \"10.9.0.100\"\nport = " + ports + "\n" + backend +
               "[service.health]\ntype = \"tcp\"\n" + keys;
    };
    const auto of = [](const std::string& text) { return good(text).services.at(0).health; };
    EXPECT_EQ(of(on("\"any\"", "port = 22\n")).via, Via::vip);
    EXPECT_EQ(of(on("\"8000-8099\"", "port = 8099\n")).via, Via::vip);
    EXPECT_EQ(of(on("\"8000-8099\"", "port = 8100\n")).via, Via::address);
    expect_errors(
        on("\"8000-8099\"", ""),
        {"a.toml:12:10: missing key 'port' in [service.health]: the service is on several "
         "ports"});
    expect_errors(on("\"any\"", ""), {"a.toml:12:10: missing key 'port' in [service.health]: the "
                                      "service is on any port"});
    expect_errors(on("\"8000-8099\"", "via = \"vip\"\n"),
                  {"a.toml:14:7: via: checks cannot go by the VIP: the service is on ports "
                   "8000-8099: say by 'port' which one is checked"});
    EXPECT_EQ(of(on("\"any\"", "", backend_text + "check_port = 9\n")).via, Via::address);
}

TEST(ConfigHealth, ABackendMayHaveAPointOfItsOwn) {
    const std::string service = "[[service.backend]]\naddress = \"10.9.0.22\"\nport = 8080\n";
    const auto points = [&](const std::string& keys, const std::string& own) {
        const Config config = good(with_health(keys, service + own));
        std::vector<std::string> texts;
        for (const BackendConfig& backend : config.services.at(0).backends) {
            const CheckPoint point = check_point(config.services.at(0), backend);
            texts.push_back(std::string(name_of(point.via)) + ' ' + point.address.to_string() +
                            ' ' + std::to_string(point.port));
        }
        return texts;
    };
    using Texts = std::vector<std::string>;
    EXPECT_EQ(points("type = \"tcp\"\n", ""), (Texts{"vip 10.9.0.100 80", "vip 10.9.0.100 80"}));
    EXPECT_EQ(points("type = \"tcp\"\n", "check_port = 9\n"),
              (Texts{"address 10.9.0.22 9", "vip 10.9.0.100 80"}));
    EXPECT_EQ(points("type = \"tcp\"\n", "check_address = \"10.8.0.22\"\n"),
              (Texts{"address 10.8.0.22 8080", "vip 10.9.0.100 80"}));
    EXPECT_EQ(points("type = \"tcp\"\nport = 81\n", "check_port = 9\n"),
              (Texts{"address 10.9.0.22 9", "address 10.9.0.21 81"}));
    EXPECT_EQ(points("type = \"icmp\"\n", ""),
              (Texts{"address 10.9.0.22 0", "address 10.9.0.21 0"}));
    EXPECT_EQ(points("type = \"tcp\"\nvia = \"address\"\n", ""),
              (Texts{"address 10.9.0.22 8080", "address 10.9.0.21 80"}));
}

TEST(ConfigHealth, APointOfItsOwnFits) {
    const auto refused = [](const std::string& keys, const std::string& own,
                            const std::string& error) {
        expect_errors(with_service("health = { " + keys + " }\n" + backend_text + own + "\n"),
                      {"a.toml:13:" + error});
    };
    refused("type = \"none\"", "check_port = 9",
            "14: check_port: nothing of this service is checked");
    refused("type = \"icmp\"", "check_port = 9", "14: check_port: an icmp check has no port");
    refused("type = \"tcp\", via = \"vip\"", "check_address = \"10.9.0.22\"",
            "17: check_address: checks of this service go by the VIP (via = \"vip\")");
    refused("type = \"tcp\"", "check_address = \"10.9.0.100\"",
            "17: check_address: 10.9.0.100 is a VIP: this host would answer");
    refused("type = \"tcp\"", "check_address = \"127.0.0.1\"",
            "17: check_address: 127.0.0.1 is a loopback address");
}

TEST(ConfigHealth, TheSourceFits) {
    const auto refused = [](const std::string& source, const std::string& error) {
        expect_error("tcp", "source = \"" + source + "\"", "10: source: " + error);
    };
    refused("10.9.0.100",
            "10.9.0.100 is a VIP, whose packets are the clients': checks need another address");
    refused("127.0.0.1", "127.0.0.1 is a loopback address");
    refused("fd00::1", "fd00::1 is of another IP version than what is checked, 10.9.0.100");
    refused("240.64.0.7",
            "240.64.0.7 is in the network of made-up addresses of checks, "
            "240.64.0.0/10 (probe_network_v4 of [node])");
    refused("10.9.0", "expected an IPv4 or IPv6 address, found the string '10.9.0'");
    // By a tunnel the backend may be of the other version: its address is checked then.
    const std::string text = node_text + vip_text +
                             "[[service]]\nname = \"w\"\nvip = \"10.9.0.100\"\nport = 80\n"
                             "forward = \"ipip\"\n[[service.backend]]\naddress = \"fd00::21\"\n"
                             "[service.health]\ntype = \"icmp\"\n";
    EXPECT_TRUE(parse(text + "source = \"fd00::1\"\n").config);
    expect_errors(text + "source = \"10.9.0.11\"\n",
                  {"a.toml:15:10: source: 10.9.0.11 is of another IP version than what is checked, "
                   "fd00::21"});
}

TEST(ConfigHealth, QuorumAndGivingUp) {
    expect_errors(with_service("quorum = 2\n" + backend_text),
                  {"a.toml:10:10: quorum: 2 of 1 backend can never be"});
    expect_errors(
        with_service("quorum = 0\n" + backend_text),
        {"a.toml:10:10: quorum: expected an integer from 1 to 16383, found the integer 0"});
    const Config config = good(with_service("give_up_vip = true\n" + backend_text));
    EXPECT_TRUE(config.services.at(0).give_up_vip);
    EXPECT_EQ(config.services.at(0).quorum, 1u);
    const auto local = [](const std::string& own) {
        return with_service(
            "forward = \"local\"\ngive_up_vip = true\nhealth.type = \"tcp\"\n"
            "[[service.backend]]\n" +
            own);
    };
    expect_errors(local(""),
                  {"a.toml:11:15: give_up_vip: with forward = \"local\" checks go to the "
                   "VIP, and once it is given up they could never be good again: set "
                   "'check_address', \"127.0.0.1\" say"});
    EXPECT_TRUE(good(local("check_address = \"127.0.0.1\"\n")).services.at(0).give_up_vip);
}

TEST(ConfigHealth, ProbeNetworksAreNobodyElses) {
    const auto refused = [](const std::string& key, const std::string& error) {
        expect_errors(node_text + key + "\n", {"a.toml:3:20: " + error});
    };
    refused("probe_network_v4 = \"240.64.0.0/12\"",
            "probe_network_v4: expected an IPv4 network of prefix length /10, such as "
            "\"240.64.0.0/10\", found the string '240.64.0.0/12'");
    refused("probe_network_v4 = \"240.65.0.0/10\"",
            "probe_network_v4: expected an IPv4 network of prefix length /10, such as "
            "\"240.64.0.0/10\", found the string '240.65.0.0/10'");
    refused("probe_network_v6 = \"240.64.0.0/10\"",
            "probe_network_v6: expected an IPv6 network of prefix length /96, such as "
            "\"fd62:6173:6375:6c65::/96\", found the string '240.64.0.0/10'");
    refused("probe_network_v4 = \"127.0.0.0/10\"",
            "127.0.0.0 is a loopback address: nothing can be sent there");
    refused("probe_network_v4 = \"255.192.0.0/10\"",
            "255.192.0.0 is the network of the broadcast: nothing can be sent there");
    refused("probe_network_v6 = \"fe80::/96\"",
            "fe80:: is a link-local address: nothing can be sent there");
    const std::string in =
        " is in the network of made-up addresses of checks, 10.0.0.0/10 "
        "(probe_network_v4 of [node])";
    expect_errors(node_text + "probe_network_v4 = \"10.0.0.0/10\"\n" + vip_text +
                      "[[service]]\nname = \"w\"\nvip = \"10.9.0.100\"\nport = 80\n" + backend_text,
                  {"a.toml:5:11: 10.9.0.100" + in, "a.toml:12:11: 10.9.0.21" + in});
}

TEST(ConfigHealth, HookIsAProgram) {
    expect_errors(node_text + "[hook]\nuser = \"root\"\n",
                  {"a.toml:4:8: user: there is no 'command' in [hook]"});
    expect_errors(
        node_text + "[hook]\ncommand = [\"logger\"]\ntimeout = \"1ms\"\n",
        {"a.toml:4:12: command: expected the absolute path of a program, found the string "
         "'logger'",
         "a.toml:5:11: timeout: expected a duration from 100ms to 5m, found the string "
         "'1ms'"});
    expect_errors(node_text + "[hook]\ncommand = []\n",
                  {"a.toml:4:11: command: expected 1 to 64 strings, found 0"});
    expect_errors(
        node_text + "[hook]\ncommand = \"/bin/x\"\n",
        {"a.toml:4:11: command: expected an array of a program and its arguments, such as "
         "[\"/usr/bin/true\"], found the string '/bin/x'"});
}

}  // namespace
}  // namespace bascule::model
