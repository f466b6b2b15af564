// SPDX-License-Identifier: Apache-2.0
// The keys of [service.health]. Those of single types of checks say so by `only`.
#include "model/config_schema_tables.h"

namespace bascule::model {
namespace {

using enum KeyType;
using Words = std::string_view[];

constexpr std::int64_t hour = 3'600'000;  // milliseconds
constexpr std::int64_t day = 24 * hour;
constexpr std::int64_t longest_body = 16 << 20;

constexpr Words types = {"none", "tcp", "http", "https", "udp", "dns", "icmp", "exec"};
constexpr Words vias = {"vip", "address"};
constexpr Words methods = {"GET", "HEAD", "OPTIONS", "POST"};
constexpr Words records = {"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"};
constexpr Words rcodes = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};

constexpr Words all = {"tcp", "http", "https", "udp", "dns", "icmp", "exec"};
constexpr Words by_port = {"tcp", "http", "https", "udp", "dns"};
constexpr Words by_packets = {"tcp", "http", "https", "udp", "dns", "icmp"};
constexpr Words raw = {"tcp", "udp"};
constexpr Words with_content = {"tcp", "udp", "http", "https"};
constexpr Words web = {"http", "https"};
constexpr Words tls = {"https"};
constexpr Words dns = {"dns"};
constexpr Words exec = {"exec"};

constexpr KeySchema health_keys[] = {
    {.key = "type",
     .type = choice,
     .meaning =
         "What a check does. `tcp` connects, and may send and expect bytes. `http` and `https` ask "
         "for a page. `udp` sends bytes: an ICMP error is a failure, and with `expect` a wrong or "
         "missing answer is. `dns` asks a name server, by the service's protocol. `icmp` pings. "
         "`exec` runs a program: exit code 0 is good, and a line "
         "`weight N` that it prints makes the backend's weight N per cent of what is configured. "
         "`none`: all count as up.",
     .required = true,
     .fallback = "none",
     .choices = types},
    {.key = "via",
     .type = choice,
     .meaning =
         "`vip`: a check goes to the VIP and the service's port, the way that clients' packets go "
         "to this backend: it also finds a VIP that is missing on the server, a broken tunnel, a "
         "wrong port. `address`: to the backend's own address.",
     .fallback = "`vip` where that is possible: not with `local`, on another port than the "
                 "service's, or by another protocol",
     .choices = vias,
     .only = by_port},
    {.key = "port",
     .type = integer,
     .meaning = "The port that is checked. A service on a range or on any port needs it.",
     .fallback = "that of the service (`vip`) or the backend (`address`)",
     .least = 1,
     .most = 65535,
     .only = by_port},
    {.key = "source",
     .type = address,
     .meaning = "An address of this host that checks come from; no VIP.",
     .fallback = "what the kernel chooses towards the backend",
     .only = by_packets},
    {.key = "interval",
     .type = milliseconds,
     .meaning = "From the start of one check to that of the next.",
     .fallback = "1s",
     .least = 100,
     .most = hour,
     .only = all},
    {.key = "fast_interval",
     .type = milliseconds,
     .meaning = "The same while the last result disagrees with what holds.",
     .fallback = "a quarter of the interval",
     .least = 25,
     .most = hour,
     .only = all},
    {.key = "timeout",
     .type = milliseconds,
     .meaning = "What a check may take as a whole; at most the interval.",
     .fallback = "500ms, or the interval where that is shorter",
     .least = 10,
     .most = hour,
     .only = all},
    {.key = "rise",
     .type = integer,
     .meaning = "Good results in a row that bring a backend up. The very first result of a new one "
                "decides alone.",
     .fallback = "2",
     .least = 1,
     .most = 100,
     .only = all},
    {.key = "fall",
     .type = integer,
     .meaning = "Bad results in a row that take it down. So a dead backend is found after at most "
                "`interval` + `timeout` + (`fall` - 1) times the longer of `fast_interval` and "
                "`timeout`.",
     .fallback = "3",
     .least = 1,
     .most = 100,
     .only = all},
    {.key = "slow_start",
     .type = milliseconds,
     .meaning = "A backend that comes back gets a tenth of its weight, and all of it after this "
                "time, in ten steps; `\"0s\"`: all at once.",
     .fallback = "0s",
     .least = 0,
     .most = hour,
     .only = all},
    {.key = "flap_limit",
     .type = integer,
     .meaning = "Falls within `flap_window` that are taken for chance. After a further one the "
                "backend is held down for `hold_down`, though its checks be good; 0: never.",
     .fallback = "3",
     .least = 0,
     .most = 100,
     .only = all},
    {.key = "flap_window",
     .type = milliseconds,
     .meaning = "See `flap_limit`.",
     .fallback = "1m",
     .least = 1000,
     .most = hour,
     .only = all},
    {.key = "hold_down",
     .type = milliseconds,
     .meaning = "See `flap_limit`. Twice as long each further time.",
     .fallback = "10s",
     .least = 1000,
     .most = day,
     .only = all},
    {.key = "hold_down_max",
     .type = milliseconds,
     .meaning = "The longest that becomes of it.",
     .fallback = "5m, or `hold_down` where that is longer",
     .least = 1000,
     .most = day,
     .only = all},
    {.key = "send",
     .type = text,
     .meaning = "What is sent; `udp` needs it, or `send_hex`.",
     .fallback = "nothing is sent",
     .least = 1,
     .most = longest_text,
     .only = raw},
    {.key = "send_hex",
     .type = hex,
     .meaning = "The same as pairs of hexadecimal digits; spaces may stand between them.",
     .fallback = "nothing is sent",
     .least = 1,
     .most = longest_text,
     .only = raw},
    {.key = "expect",
     .type = text,
     .meaning = "Text that the answer, or the body of the page, must contain.",
     .fallback = "any will do",
     .least = 1,
     .most = longest_text,
     .only = with_content},
    {.key = "expect_hex",
     .type = hex,
     .meaning = "The same as pairs of hexadecimal digits.",
     .fallback = "any will do",
     .least = 1,
     .most = longest_text,
     .only = raw},
    {.key = "expect_regex",
     .type = text,
     .meaning = "The same as a regular expression, as [RE2](https://github.com/google/re2/wiki/"
                "Syntax) has them, which may match anywhere. Of a long answer the beginning is "
                "searched, the less the larger the expression: for a tenth of a second at most.",
     .fallback = "any will do",
     .least = 1,
     .most = longest_text,
     .only = with_content},
    {.key = "method",
     .type = choice,
     .meaning = "What is asked for.",
     .fallback = "GET",
     .choices = methods,
     .only = web},
    {.key = "path",
     .type = text,
     .meaning = "The page, with its query.",
     .fallback = "/",
     .least = 1,
     .most = longest_text,
     .only = web},
    {.key = "host",
     .type = text,
     .meaning = "The `Host` header.",
     .fallback = "the address that is checked, with its port where it is no usual one",
     .least = 1,
     .most = 255,
     .only = web},
    {.key = "headers",
     .type = texts,
     .meaning = "More headers, as `\"Name: value\"`.",
     .fallback = "no more",
     .least = 0,
     .most = 32,
     .only = web},
    {.key = "status",
     .type = status,
     .meaning = "Which status codes are good.",
     .fallback = "200-399",
     .only = web},
    {.key = "keep_alive",
     .type = boolean,
     .meaning = "Whether checks share one connection. A fresh one each time also tells whether the "
                "server accepts connections.",
     .fallback = "false",
     .choices = boolean_words,
     .only = web},
    {.key = "body_limit",
     .type = integer,
     .meaning = "Bytes of a page; more are a failure.",
     .fallback = "262144",
     .least = 0,
     .most = longest_body,
     .only = web},
    {.key = "sni",
     .type = text,
     .meaning = "The server name that TLS asks for and the certificate must have.",
     .fallback = "`host`, if that is a name",
     .least = 1,
     .most = 253,
     .only = tls},
    {.key = "ca",
     .type = file,
     .meaning = "PEM file of the certificates that the server's must be signed by. Read again at "
                "each reload.",
     .fallback = "those of the system",
     .only = tls},
    {.key = "verify",
     .type = boolean,
     .meaning = "Whether the certificate is verified: its dates, its names, and who signed it.",
     .fallback = "true",
     .choices = boolean_words,
     .only = tls},
    {.key = "certificate",
     .type = file,
     .meaning = "PEM file of the certificate that this node shows. Read again at each reload.",
     .fallback = "it shows none",
     .only = tls},
    {.key = "key",
     .type = file,
     .meaning = "PEM file of its key, which others may not read. Read again at each reload.",
     .fallback = "required with `certificate`",
     .only = tls},
    {.key = "expiry_warning",
     .type = milliseconds,
     .meaning = "A certificate that ends sooner is warned of; `\"0s\"`: none is.",
     .fallback = "14d",
     .least = 0,
     .most = 365 * day,
     .only = tls},
    {.key = "name",
     .type = text,
     .meaning = "The name that is asked for.",
     .fallback = "required for `dns`",
     .least = 1,
     .most = 254,
     .only = dns},
    {.key = "record",
     .type = choice,
     .meaning = "The type of record that is asked for.",
     .fallback = "A",
     .choices = records,
     .only = dns},
    {.key = "rcode",
     .type = choice,
     .meaning = "The answer code that is good.",
     .fallback = "NOERROR",
     .choices = rcodes,
     .only = dns},
    {.key = "answer",
     .type = text,
     .meaning = "What one of the answers must be: an address (`A`, `AAAA`), a name (`CNAME`, `MX`, "
                "`NS`, `PTR`, `SRV`) or a text (`TXT`).",
     .fallback = "any will do",
     .least = 1,
     .most = 255,
     .only = dns},
    {.key = "command",
     .type = command,
     .meaning =
         "The program, by its absolute path, and its arguments. It and every folder on the way to "
         "it must be root's and writable for root alone. Its environment holds `BASCULE_SERVICE`, "
         "`BASCULE_BACKEND`, `BASCULE_ADDRESS`, `BASCULE_PORT`, `BASCULE_VIP`, `BASCULE_VIP_PORT`, "
         "`BASCULE_PROTOCOL`, `BASCULE_TIMEOUT_MS`.",
     .fallback = "required for `exec`",
     .least = 1,
     .most = most_arguments,
     .only = exec},
    {.key = "user",
     .type = name,
     .meaning = "Whom the program runs as.",
     .fallback = "nobody",
     .only = exec},
};

}  // namespace

TableSchema health_table() {
    return {"service.health", false,
            "How the backends of the service are checked. Durations are written as `\"250ms\"`, "
            "`\"1s\"`, `\"5m\"`. A key that the type has no use for is an error.",
            health_keys};
}

}  // namespace bascule::model
