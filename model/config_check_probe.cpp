// SPDX-License-Identifier: Apache-2.0
#include <re2/re2.h>

#include <algorithm>

#include "model/config_check.h"

namespace bascule::model {
namespace {

constexpr std::string_view letters_and_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

constexpr std::int64_t most_regex_memory = 1 << 20;

bool consists_of(std::string_view text, std::string_view more) {
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return letters_and_digits.find(c) != std::string_view::npos ||
               more.find(c) != std::string_view::npos;
    });
}

// RFC 1035, 2.3.4, with the underscore of RFC 2782; a dot at the end is allowed, "." is the root.
bool is_domain_name(std::string_view text) {
    constexpr std::size_t longest = 253;
    constexpr std::size_t longest_label = 63;
    if (text == ".") return true;
    if (text.ends_with('.')) text.remove_suffix(1);
    if (text.empty() || text.size() > longest || !consists_of(text, "-_.")) return false;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t label = std::min(text.find('.', at), text.size()) - at;
        if (label == 0 || label > longest_label) return false;
        at += label + 1;
    }
    return true;
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return result;
}

// What is wrong with "Name: value" (RFC 9110, 5.1 and 5.5); empty: nothing.
std::string header_problem(std::string_view header) {
    const std::size_t colon = header.find(':');
    if (colon == std::string_view::npos) return "has no colon: \"Name: value\" is expected";
    const std::string_view name = header.substr(0, colon);
    if (name.empty() || !consists_of(name, "!#$%&'*+-.^_`|~"))
        return "has a name that no header can have";
    const std::string_view value = header.substr(colon + 1);
    const auto is_control = [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; };
    if (std::any_of(value.begin(), value.end(), is_control))
        return "has a line break or another control character";
    const std::string own = lower(name);
    if (own == "host") return "is set by 'host'";
    if (own == "connection") return "is set by 'keep_alive'";
    if (own == "content-length" || own == "transfer-encoding") return "is for requests with a body";
    return {};
}

class ProbeChecker {
public:
    ProbeChecker(const HealthDraft& health, Diagnostics& diagnostics)
        : health_(health), diagnostics_(diagnostics) {}

    void run() {
        check_content();
        if (health_.is("http") || health_.is("https")) check_http();
        if (health_.is("https")) check_tls();
        if (health_.is("dns")) check_dns();
    }

private:
    void add(Place place, std::string message) { diagnostics_.add(place, std::move(message)); }

    void needs(std::string_view key, const std::string& why) {
        add(health_.place, "missing key " + quoted(key) + " in [service.health]: " + why);
    }

    template <typename A, typename B>
    void at_most_one(const Placed<A>& one, std::string_view name, const Placed<B>& other,
                     std::string_view other_name) {
        if (one.written && other.written)
            add(std::max(one.place, other.place),
                "at most one of " + std::string(name) + " and " + std::string(other_name));
    }

    void check_content() {
        at_most_one(health_.send, "send", health_.send_hex, "send_hex");
        at_most_one(health_.expect, "expect", health_.expect_hex, "expect_hex");
        at_most_one(health_.expect, "expect", health_.expect_regex, "expect_regex");
        at_most_one(health_.expect_hex, "expect_hex", health_.expect_regex, "expect_regex");
        if (health_.is("udp") && !health_.send.written && !health_.send_hex.written)
            needs("send", "a server answers nothing to nothing");
        check_regex();
    }

    void check_regex() {
        if (!health_.expect_regex.value) return;
        const std::string& pattern = *health_.expect_regex.value;
        // As the checks do it: what a server sends are bytes, and a pattern's memory is bounded.
        RE2::Options options(RE2::Quiet);
        options.set_encoding(RE2::Options::EncodingLatin1);
        options.set_max_mem(most_regex_memory);
        const RE2 regex(pattern, options);
        if (regex.ok()) return;
        // RE2 ends its words by the part that they are about.
        const std::string& part = regex.error_arg();
        std::string words = regex.error();
        if (words.ends_with(": " + part)) words.resize(words.size() - part.size() - 2);
        const std::size_t at = pattern.find(part);
        add(health_.expect_regex.place,
            "expect_regex: " + words + ": " + quoted(part) +
                (part.empty() || part == pattern || at == std::string::npos
                     ? ""
                     : " at its byte " + std::to_string(at + 1)));
    }

    void check_http() {
        if (health_.path.value) check_path(*health_.path.value);
        if (health_.host.value && !consists_of(*health_.host.value, "-_.:[]"))
            add(health_.host.place,
                "host: expected a name or an address, with a port or without, "
                "found the string " +
                    quoted(*health_.host.value));
        if (health_.headers.value)
            for (const auto& header : *health_.headers.value)
                if (const std::string what = header_problem(*header.value); !what.empty())
                    add(header.place, "headers: " + quoted(*header.value) + ' ' + what);
        if (health_.method.value != "HEAD") return;
        for (const auto* expected : {&health_.expect, &health_.expect_regex})
            if (expected->written) add(expected->place, "expect: an answer to HEAD has no body");
    }

    void check_path(const std::string& path) {
        const auto fits = [](char c) { return c > ' ' && c < '\x7f' && c != '#'; };
        if (!path.starts_with('/'))
            add(health_.path.place, "path: " + quoted(path) + " does not start with '/'");
        else if (!std::all_of(path.begin(), path.end(), fits))
            add(health_.path.place, "path: " + quoted(path) +
                                        " has a character that a URL has only as %XX (a space, "
                                        "'#', a control or non-ASCII character)");
    }

    void check_tls() {
        const auto& sni = health_.sni;
        if (sni.value && Address::parse(*sni.value))
            add(sni.place, "sni: an address is no server name (RFC 6066, 3): leave it out");
        else if (sni.value && !is_domain_name(*sni.value))
            add(sni.place, "sni: expected a host name, found the string " + quoted(*sni.value));
        if (health_.ca.written && health_.verify.value == "false")
            add(health_.ca.place, "ca: with verify = false nothing is verified");
        if (health_.certificate.written && !health_.key.written)
            add(health_.certificate.place, "certificate: it needs its 'key'");
        if (health_.key.written && !health_.certificate.written)
            add(health_.key.place, "key: it needs its 'certificate'");
    }

    void check_dns() {
        if (!health_.name.written) needs("name", "a name server has to be asked for one");
        if (health_.name.value && !is_domain_name(*health_.name.value))
            add(health_.name.place,
                "name: expected a domain name, found the string " + quoted(*health_.name.value));
        if (health_.answer.value && health_.record.value && health_.rcode.value) check_answer();
    }

    void check_answer() {
        const std::string& answer = *health_.answer.value;
        const std::string_view record = *health_.record.value;
        if (health_.rcode.value != "NOERROR")
            return add(health_.answer.place, "answer: an answer with the code " +
                                                 std::string(*health_.rcode.value) +
                                                 " has no records");
        if (record == "TXT") return;
        std::string expected = "a domain name";
        bool fits = is_domain_name(answer);
        if (record == "A" || record == "AAAA") {
            const auto address = Address::parse(answer);
            fits = address && address->is_v4() == (record == "A");
            expected = record == "A" ? "an IPv4 address" : "an IPv6 address";
        } else if (record == "SOA") {
            return add(health_.answer.place, "answer: not for records of type SOA");
        }
        if (!fits)
            add(health_.answer.place, "answer: expected " + expected + " for the record " +
                                          std::string(record) + ", found the string " +
                                          quoted(answer));
    }

    const HealthDraft& health_;
    Diagnostics& diagnostics_;
};

}  // namespace

void check_probe(const HealthDraft& health, Diagnostics& diagnostics) {
    ProbeChecker(health, diagnostics).run();
}

}  // namespace bascule::model
