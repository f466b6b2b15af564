// SPDX-License-Identifier: Apache-2.0
#include "backend/self_test.h"

#include <algorithm>
#include <chrono>

#include "backend/files.h"
#include "backend/hooks.h"
#include "backend/probe.h"

namespace bascule::backend {
namespace {

// An answer of this host's own kernel comes within microseconds; a busy machine is given time.
constexpr std::chrono::milliseconds patience{300};
constexpr std::chrono::milliseconds long_patience{1000};
constexpr std::uint32_t usual_mtu = 1500;
constexpr std::uint16_t client_port = 40'000;

// Who a made packet says it is from, where nothing better is at hand (RFC 5737, RFC 3849).
const Address somebody_v4 = Address::v4({192, 0, 2, 1});
const Address somebody_v6 = Address::parse("2001:db8::1").value();

class SelfTest {
public:
    SelfTest(const Options& options, const Config& config, std::vector<Link> links,
             std::vector<HostAddress> addresses)
        : options_(options),
          config_(config),
          links_(std::move(links)),
          addresses_(std::move(addresses)) {}

    std::vector<Finding> run() {
        for (const Vip& vip : config_.vips)
            check_vip(vip);
        check_sysctls();
        for (const std::string& name : config_.interfaces)
            check_interface(name);
        return std::move(findings_);
    }

private:
    void add(const char* check, std::string subject, Verdict verdict, std::string text,
             std::string mend = {}) {
        findings_.push_back({check, std::move(subject), verdict, std::move(text), std::move(mend)});
    }

    // ---- the VIP and its servers ----

    void check_vip(const Vip& vip) {
        const std::string name = vip.address.to_string();
        const HostAddress* there = find(vip.address);
        if (there == nullptr && !vip.hold) {
            add("vip", name, Verdict::skipped,
                "not on this host; somebody else is to put it here, as basculed does on the node "
                "that holds it");
            return;
        }
        if (there == nullptr) {
            add("vip", name, Verdict::failed,
                "not on this host: packets for it are dropped here without a word",
                "systemctl restart bascule-backend");
            return;
        }
        check_places(vip);
        for (const PortPair& port : vip.ports)
            check_server(vip, port);
    }

    // It may stand on several interfaces; each but lo is one too many.
    void check_places(const Vip& vip) {
        const std::string name = vip.address.to_string();
        std::string places;
        bool on_lo = false;
        std::vector<const HostAddress*> wrong;
        for (const HostAddress& one : addresses_) {
            if (one.address != vip.address) continue;
            const std::string where = name_of(one.ifindex);
            places += (places.empty() ? "" : ", ") + where;
            on_lo = on_lo || where == "lo";
            if (vip.hold && where != "lo") wrong.push_back(&one);
        }
        if (wrong.empty()) add("vip", name, Verdict::ok, "is on " + places);
        for (const HostAddress* one : wrong)
            add("vip", name, Verdict::failed,
                "is on " + name_of(one->ifindex) + (on_lo ? " as well as on lo" : "") +
                    ", where this host answers ARP and ND for it and takes clients "
                    "away from the balancer; it belongs on lo" +
                    (on_lo ? " alone" : ""),
                removal_of(*one) + (on_lo ? "" : " && systemctl restart bascule-backend"));
    }

    std::string removal_of(const HostAddress& one) const {
        return "ip addr del " + one.address.to_string() + "/" + std::to_string(one.prefix_length) +
               " dev " + name_of(one.ifindex);
    }

    void check_server(const Vip& vip, const PortPair& port) {
        const bool udp = port.protocol == Protocol::udp;
        const std::string subject = vip.address.to_string() + " " + (udp ? "udp" : "tcp") +
                                    " port " + std::to_string(port.server);
        const auto served = is_served(vip.address, port.protocol, port.server, long_patience);
        const std::string look = std::string("ss -ln") + (udp ? "u" : "t") +
                                 "p 'sport = :" + std::to_string(port.server) + "'";
        if (!served)
            add("server", subject, Verdict::failed, served.error().text(), look);
        else if (*served)
            add("server", subject, Verdict::ok, "somebody serves it");
        else
            add("server", subject, Verdict::failed,
                "nobody serves it: clients of port " + std::to_string(port.service) +
                    " are refused. The server has to listen on the VIP, or on all addresses",
                look);
    }

    // ---- ARP ----

    void check_sysctls() {
        for (const auto& [path, wanted] : wanted_sysctls(config_)) {
            const auto now = read_sysctl(path);
            if (now && is_enough(path, *now))
                add("sysctl", path, Verdict::ok, "is " + *now);
            else
                add("sysctl", path, Verdict::failed,
                    (now ? "is " + *now + ", not " + wanted : now.error().text()) +
                        ": this host may answer ARP for the VIP and take its clients",
                    "sysctl -w " + path + "=" + wanted);
        }
    }

    void check_interface(const std::string& name) {
        const Link* link = find_link(name);
        if (link == nullptr) {
            add("interface", name, Verdict::failed, "there is no such interface", "ip link show");
            return;
        }
        if (!link->is_up) {
            add("interface", name, Verdict::failed, "is down: nothing arrives",
                "ip link set dev " + name + " up");
            return;
        }
        check_silence(*link);
        check_reverse_path(*link);
        check_forwarding(*link);
        check_restore(*link);
        if (!config_.has_tunnels()) return;
        check_mtu(*link);
        check_decapsulation(*link);
    }

    void check_silence(const Link& link) {
        auto injector = Injector::open(0);
        if (!injector) {
            add("arp", link.name, Verdict::skipped, injector.error().text());
            return;
        }
        for (const Vip& vip : config_.vips)
            if (vip.hold && find(vip.address) != nullptr) check_silence(*injector, link, vip);
    }

    // That nothing is said proves something only where a question for the host's own address is
    // answered.
    void check_silence(Injector& injector, const Link& link, const Vip& vip) {
        const std::string subject = vip.address.to_string() + " on " + link.name;
        const bool v4 = vip.address.is_v4();
        const Address* own = own_address(link, v4);
        const char* by_settings = v4 ? "; by the settings alone it is silent or not"
                                     : "; IPv6 is silent for what stands on lo by nature";
        const auto control =
            own != nullptr ? is_answered(injector, link, *own, long_patience) : Result<bool>(false);
        const auto answered = is_answered(injector, link, vip.address, patience);
        if (answered && *answered)
            add("arp", subject, Verdict::failed,
                "this host answers when asked who has the VIP: it takes the balancer's clients",
                silencing(link, vip.address));
        else if (!answered || !control)
            add("arp", subject, Verdict::skipped,
                "could not be tried: " + (answered ? control : answered).error().text() +
                    by_settings);
        else if (!*control)
            add("arp", subject, Verdict::skipped,
                std::string("could not be tried: this host does not answer for an address of its "
                            "own either") +
                    by_settings);
        else
            add("arp", subject, Verdict::ok, "asked who has it, this host is silent");
    }

    // No setting silences a host about what stands on the interface that is asked.
    std::string silencing(const Link& link, const Address& vip) const {
        for (const HostAddress& one : addresses_)
            if (one.address == vip && one.ifindex == link.ifindex) return removal_of(one);
        return vip.is_v4()
                   ? "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2"
                   : "ip -6 addr show to " + vip.to_string() + "; ip -6 neigh show proxy";
    }

    // ---- the way of the packets ----

    void check_reverse_path(const Link& link) {
        const bool any_v4 = std::any_of(config_.vips.begin(), config_.vips.end(),
                                        [](const Vip& vip) { return vip.address.is_v4(); });
        if (!any_v4) return;
        const std::string own = "net/ipv4/conf/" + link.name + "/rp_filter";
        const auto all = read_sysctl("net/ipv4/conf/all/rp_filter");
        const auto mine = read_sysctl(own);
        const std::string effective = std::max(all.value_or("0"), mine.value_or("0"));
        if (effective == "1")
            add("rp_filter", link.name, Verdict::warning,
                "strict: packets of clients whose way back is not by " + link.name +
                    " are dropped without a word",
                "sysctl -w " + own + "=2");
        else
            add("rp_filter", link.name, Verdict::ok, effective == "0" ? "off" : "loose");
    }

    void check_forwarding(const Link& link) {
        for (const char* family : {"ipv4", "ipv6"}) {
            const std::string path = std::string("net/") + family + "/conf/" + link.name;
            const auto on = read_sysctl(path + "/forwarding");
            if (on && *on != "0")
                add("forwarding", path, Verdict::warning,
                    "this host forwards: once a VIP is gone from it, packets for the VIP go back "
                    "to "
                    "the balancer, which sends them here again. Drain before you stop",
                    "bascule drain BACKEND --wait  # on the balancer, before this server is "
                    "stopped");
        }
    }

    void check_restore(const Link& link) {
        if (!config_.needs_restore()) return;
        const std::uint32_t program = filter_program(link.ifindex);
        if (program == 0) {
            add("egress", link.name, Verdict::failed,
                "the egress program is not there: answers leave with the server's port and the "
                "client refuses them",
                "systemctl restart bascule-backend");
            return;
        }
        for (const Vip& vip : config_.vips)
            for (const PortPair& port : vip.ports)
                if (port.server != port.service && port.protocol == Protocol::udp)
                    check_port(link, program, vip, port);
        if (findings_.empty() || findings_.back().check != "egress")
            add("egress", link.name, Verdict::ok, "the egress program is there");
    }

    void check_port(const Link& link, std::uint32_t program, const Vip& vip, const PortPair& port) {
        const std::string subject =
            vip.address.to_string() + " " + port.to_string() + " on " + link.name;
        const UdpFlow answer{vip.address, somebody(vip.address.is_v4()), port.server, client_port};
        const UdpFlow expected{vip.address, answer.destination, port.service, client_port};
        const Bytes payload(4);
        const auto left =
            run_egress(program, frame(link.mac, link.mac, udp_packet(answer, payload)));
        if (left && *left == frame(link.mac, link.mac, udp_packet(expected, payload)))
            add("egress", subject, Verdict::ok, "an answer leaves with the service's port");
        else
            add("egress", subject, Verdict::failed,
                left ? "an answer does not leave with the service's port: the client refuses it"
                     : left.error().text(),
                "systemctl restart bascule-backend");
    }

    void check_mtu(const Link& link) {
        std::uint32_t overhead = 0;
        for (const Vip& vip : config_.vips)
            overhead = std::max<std::uint32_t>(overhead, config_.overhead_of(vip));
        const std::uint32_t wanted = usual_mtu + overhead;
        const bool clamps = config_.mss_clamp.automatic || config_.mss_clamp.fixed != 0;
        const std::string has = "MTU " + std::to_string(link.mtu) +
                                ", and a full packet of a client "
                                "is " +
                                std::to_string(wanted) + " bytes in its tunnel: ";
        if (link.mtu >= wanted)
            add("mtu", link.name, Verdict::ok,
                "MTU " + std::to_string(link.mtu) + " has room for a tunnel's " +
                    std::to_string(overhead) + " bytes");
        else
            add("mtu", link.name, clamps ? Verdict::warning : Verdict::failed,
                has + (clamps ? "TCP is kept below by 'mss_clamp'; larger UDP packets are refused "
                                "by the balancer, which tells the client"
                              : "large packets are refused by the balancer, and clients that do "
                                "not hear of it hang ('mss_clamp' is off)"),
                "ip link set dev " + link.name + " mtu " + std::to_string(wanted) +
                    "  # here, and on the way from the balancer");
    }

    void check_decapsulation(const Link& link) {
        const std::uint32_t program = xdp_program(xdp_pin(options_.bpffs, link.name), link.ifindex);
        if (program == 0) {
            add("decapsulation", link.name, Verdict::failed,
                "the decapsulating program is not there: tunnels end in ICMP errors",
                "systemctl restart bascule-backend");
            return;
        }
        auto injector = Injector::open(program);
        if (!injector) {
            add("decapsulation", link.name, Verdict::skipped, injector.error().text());
            return;
        }
        for (const Vip& vip : config_.vips) {
            if (find(vip.address) == nullptr) continue;  // told already
            if (vip.modes.ipip) check_tunnels(*injector, link, vip, "ipip");
            if (vip.modes.gue) check_tunnels(*injector, link, vip, "gue");
        }
    }

    // One from the first balancer of each family.
    void check_tunnels(Injector& injector, const Link& link, const Vip& vip,
                       const std::string& mode) {
        for (const bool v4 : {true, false}) {
            const auto balancer =
                std::find_if(config_.balancers.begin(), config_.balancers.end(),
                             [&](const Prefix& prefix) { return prefix.address.is_v4() == v4; });
            if (balancer == config_.balancers.end()) continue;
            const std::string subject = vip.address.to_string() + " by " + mode + " from " +
                                        balancer->address.to_string() + " on " + link.name;
            const Address* own = own_address(link, v4);
            if (own == nullptr)
                add("decapsulation", subject, Verdict::skipped,
                    std::string(link.name) + " has no " + (v4 ? "IPv4" : "IPv6") + " address");
            else
                check_tunnel(injector, link, vip, mode, balancer->address, *own, subject);
        }
    }

    void check_tunnel(Injector& injector, const Link& link, const Vip& vip, const std::string& mode,
                      const Address& balancer, const Address& own, const std::string& subject) {
        const auto make = [&](std::uint16_t port, const Bytes& payload) {
            const UdpFlow flow{client_for(vip.address.is_v4()), vip.address, client_port, port};
            const Bytes inner = udp_packet(flow, payload);
            return frame(link.mac, link.mac,
                         mode == "ipip" ? in_ip(balancer, own, inner)
                                        : in_gue(balancer, own, config_.gue_port, inner));
        };
        const auto arrived = arrives(injector, link.ifindex, vip.address, make, long_patience);
        if (!arrived)
            add("decapsulation", subject, Verdict::skipped,
                "could not be tried: " + arrived.error().text());
        else if (*arrived)
            add("decapsulation", subject, Verdict::ok, "a packet in a tunnel arrives at a server");
        else
            add("decapsulation", subject, Verdict::failed,
                "a packet in a tunnel does not arrive at a server: a firewall or rp_filter here "
                "drops it, or 'balancers' lacks the source (see the counters)",
                "bascule-backend status; nft list ruleset");
    }

    // ---- what is where ----

    const HostAddress* find(const Address& address) const {
        const auto found = std::find_if(addresses_.begin(), addresses_.end(),
                                        [&](const auto& one) { return one.address == address; });
        return found == addresses_.end() ? nullptr : &*found;
    }

    const Link* find_link(const std::string& name) const {
        const auto found = std::find_if(links_.begin(), links_.end(),
                                        [&](const Link& link) { return link.name == name; });
        return found == links_.end() ? nullptr : &*found;
    }

    std::string name_of(std::uint32_t ifindex) const {
        const auto found = std::find_if(links_.begin(), links_.end(),
                                        [&](const Link& link) { return link.ifindex == ifindex; });
        return found == links_.end() ? std::to_string(ifindex) : found->name;
    }

    const Address* own_address(const Link& link, bool v4) const {
        const auto found =
            std::find_if(addresses_.begin(), addresses_.end(), [&](const HostAddress& one) {
                return one.ifindex == link.ifindex && one.address.is_v4() == v4 && !is_vip(one);
            });
        return found == addresses_.end() ? nullptr : &found->address;
    }

    bool is_vip(const HostAddress& one) const {
        return std::any_of(config_.vips.begin(), config_.vips.end(),
                           [&](const Vip& vip) { return vip.address == one.address; });
    }

    static Address somebody(bool v4) { return v4 ? somebody_v4 : somebody_v6; }

    // A balancer is one whose packets this host accepts, unless it is this host itself.
    Address client_for(bool v4) const {
        for (const Prefix& balancer : config_.balancers)
            if (balancer.address.is_v4() == v4 && balancer.is_single() &&
                find(balancer.address) == nullptr)
                return balancer.address;
        return somebody(v4);
    }

    const Options& options_;
    const Config& config_;
    std::vector<Link> links_;
    std::vector<HostAddress> addresses_;
    std::vector<Finding> findings_;
};

}  // namespace

Result<std::vector<Finding>> self_test(const Options& options, const Config& config) {
    auto netlink = Netlink::open();
    if (!netlink) return failure(std::move(netlink.error()));
    auto links = netlink->links();
    if (!links) return failure(std::move(links.error()));
    auto addresses = netlink->addresses();
    if (!addresses) return failure(std::move(addresses.error()));
    return SelfTest(options, config, std::move(*links), std::move(*addresses)).run();
}

}  // namespace bascule::backend
