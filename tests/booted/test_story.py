# SPDX-License-Identifier: Apache-2.0
"""From bare machines to a pair, and back: docs/quickstart.md, then what an operator does to it."""

import re
import time
import unittest

import base
import packages
import quickstart
from booted_test import SETTLED, BootedTest, PairTest, addresses, xdp
from host import VIP4, wait_until

CONFIG = "/etc/bascule/bascule.toml"
MOST_EXPOSED = 2.5  # what `systemd-analyze security` may say of a service
# What Enter says where dpkg asks about a file that both have edited.
KEEP_MINE = "-o Dpkg::Options::=--force-confdef"
NEWER_SETTLED = 60  # seconds
MANY_STARTS = 12  # more than systemd grants a unit that says nothing


class QuickStart(BootedTest):
    """The page is followed to the letter; nothing else is typed."""

    def test_followed(self):
        BootedTest.broken = self.id()
        began = time.monotonic()
        for step in quickstart.read(base.TREE / "docs/quickstart.md"):
            quickstart.follow(step, self._type)
        print(f"      the quick start took {time.monotonic() - began:.0f} s", flush=True)
        for machine in self.lab.pair:
            self.assertEqual(xdp(machine), "native")
        BootedTest.broken = None

    def _type(self, machine, command):
        if machine == quickstart.YOU:
            return self.lab.type_here(command)
        return self.lab.hosts[machine].shell(command)


class Services(PairTest):
    """How the services run that the quick start has started."""

    def test_hardened(self):
        for machine, unit in ((self.lb1, "basculed.service"),
                              (self.web1, "bascule-backend.service")):
            said = machine.must("systemd-analyze", "--no-pager", "security", unit).stdout
            value = re.search(r"exposure level for \S+: ([\d.]+)", said)
            print(f"      {unit}: exposure {value[1]}", flush=True)
            self.assertLessEqual(float(value[1]), MOST_EXPOSED,
                                 "\n".join(line for line in said.splitlines() if "✗" in line))

    def test_logged_with_fields(self):
        """Who reads the journal by field finds what happened to a VIP."""
        said = self.lb1.must("journalctl", "-q", "--no-pager", "-u", "basculed", "-o",
                             "json").stdout
        self.assertIn(VIP4, said)

    def test_watched(self):
        """systemd is told in time that the daemon is alive, or it would have killed it."""
        pids = [self.daemon(machine) for machine in self.lab.pair]
        time.sleep(35)  # longer than the watchdog waits
        self.assertEqual([self.daemon(machine) for machine in self.lab.pair], pids)
        self.assertEqual([restarts for _, restarts in pids], [0, 0])

    def test_never_given_up(self):
        """An interface that comes late: the service is started until it is there."""
        config = "/etc/bascule/backend.toml"
        good = self.web2.must("cat", config).stdout
        self.addCleanup(self.web2.must_shell, "systemctl restart bascule-backend")
        self.addCleanup(self.web2.write, config, good)
        self.web2.write(config, good.replace("eth0", "eth7"))
        # It fails, and is started again from now on.
        self.web2.shell("systemctl restart bascule-backend")

        def started():
            shown = self.web2.must("systemctl", "show", "-p", "NRestarts", "--value",
                                   "bascule-backend").stdout
            return int(shown) >= MANY_STARTS

        wait_until(started, 90, f"systemd to start it {MANY_STARTS} times")
        self.web2.write(config, good)
        wait_until(lambda: self.web2.run("systemctl", "is-active", "bascule-backend").returncode
                   == 0, SETTLED, "it to start at last")
        self.assertEqual(self.web2.run("bascule-backend", "status").returncode, 0)


class Edits(PairTest):
    """`/etc` is edited under load."""

    def test_taken(self):
        running, kept = self.fresh(), self.lasting()
        before = self.lb1.must("cat", CONFIG).stdout
        pids = [self.daemon(machine)[0] for machine in self.lab.pair]
        for weight in (10, 75, 100):
            for machine in self.lab.pair:
                machine.must("sed", "-i", f"$s/.*/weight  = {weight}/", CONFIG)
                machine.must("systemctl", "reload", "basculed")
            for machine in self.lab.pair:
                shown = self.ask(machine, "show", "backends")["backends"]
                self.assertEqual({each["name"]: each["weight"] for each in shown},
                                 {"web1": 100, "web2": weight})
            self.goes_on(running)
        self.assertEqual(len(before.splitlines()),
                         len(self.lb1.must("cat", CONFIG).stdout.splitlines()))
        self.assert_none_broke(kept)
        self.assert_none_failed(running)
        self.assertEqual([self.daemon(machine)[0] for machine in self.lab.pair], pids)

    def test_refused(self):
        """An edit with an error: refused with its line, while traffic goes on."""
        running, kept = self.fresh(), self.lasting()
        good = self.lb1.must("cat", CONFIG).stdout
        line = len(good.splitlines()) + 1
        self.lb1.must_shell(f"echo 'weigth = 50' >>{CONFIG}")
        done = self.lb1.shell("systemctl reload basculed")
        self.lb1.write(CONFIG, good)
        self.assertNotEqual(done.returncode, 0)
        place = f"{CONFIG}:{line}:1: unknown key 'weigth', did you mean 'weight'?"
        self.assertIn(place, self.lb1.must("journalctl", "-q", "--no-pager", "-u", "basculed", "-n",
                                           "20").stdout)
        self.assertIn(place, self.lb1.run("bascule", "status").stdout)
        self.goes_on(running)
        self.lb1.must("systemctl", "reload", "basculed")
        self.assert_none_broke(kept)
        self.assert_none_failed(running)


class Servers(PairTest):
    def test_stops_and_returns(self):
        """A server without its nginx leaves, and comes back when it is started."""
        self.web1.must("systemctl", "stop", "nginx")
        self.addCleanup(self.web1.run, "systemctl", "start", "nginx")
        self.wait_backend("web1", "down")
        self.assertIn("refused", self.lb1.must("bascule", "show", "health").stdout)
        self.assertEqual(self.who_serves(), {"web2"})
        self.web1.must("systemctl", "start", "nginx")
        self.wait_backend("web1", "up")
        self.assertEqual(self.who_serves(), {"web1", "web2"})

    def test_companion_stopped(self):
        """The companion gives the server back as it found it; the server leaves, and returns."""
        self.assertEqual(arp_settings(self.web1), ["1", "2"])
        self.web1.must("systemctl", "stop", "bascule-backend")
        self.addCleanup(self.web1.run, "systemctl", "start", "bascule-backend")
        self.assertEqual(arp_settings(self.web1), ["0", "0"])
        self.assertNotIn(VIP4, addresses(self.web1, "lo"))
        self.wait_backend("web1", "down")
        self.assertEqual(self.who_serves(), {"web2"})
        self.web1.must("systemctl", "start", "bascule-backend")
        self.wait_backend("web1", "up")


class Deaths(PairTest):
    def test_power_lost(self):
        """The holder's plug is pulled: the other one has the VIP, and connections live on. It
        comes back by itself, and takes the VIP back when it knows the sessions, not before."""
        running, kept = self.fresh(), self.lasting()
        self.lb1.power_off()
        wait_until(lambda: self.holder() == ["lb2"], SETTLED, "lb2 to take the VIP")
        self.goes_on(running)
        self.assert_none_broke(kept)
        self.assertEqual(self.lb2.run("bascule", "status").returncode, 4)
        self.assertIn("lb1 is dead", self.lb2.run("bascule", "status").stdout)
        self.lb1.power_on()
        self.wait_well()
        self._assert_did_not_seize()
        self.goes_on(running)
        self.assert_none_broke(kept)
        self.assert_none_failed(running)

    def test_rebooted(self):
        """`reboot` on the holder: it hands over, comes back by itself, and does not seize."""
        running, kept = self.fresh(), self.lasting()
        self.lb1.reboot()
        self.wait_well()
        self._assert_did_not_seize()
        self.assert_none_broke(kept)
        self.assert_none_failed(running)

    def test_daemon_killed(self):
        """The holder's daemon dies: systemd starts it again, and no connection notices."""
        running, kept = self.fresh(), self.lasting()
        pid, restarts = self.daemon(self.lb1)
        self.lb1.must("kill", "-KILL", pid)
        wait_until(lambda: self.lb1.run("systemctl", "is-active", "basculed").returncode == 0,
                   SETTLED, "systemd to start the daemon again")
        self.wait_well()
        after = self.daemon(self.lb1)
        self.assertNotEqual(after[0], pid)
        self.assertEqual(after[1], restarts + 1)
        self.goes_on(running)
        self.assert_none_broke(kept)
        self.assert_none_failed(running)

    def test_all_rebooted(self):
        """After a power cut of everything the pair is there again, without anybody's help."""
        for machine in self.lab.machines:
            machine.power_off()
        for machine in self.lab.machines:
            machine.power_on()
        self.wait_well()
        self.wait_backend("web1", "up")
        self.wait_backend("web2", "up")
        self.assertEqual(self.who_serves(), {"web1", "web2"})

    def _assert_did_not_seize(self):
        """lb1 took the VIP from a holder that had it, which it only does once it is in step."""
        told = "\n".join(f"{machine.name} {each['time']} {each['kind']}: {each['text']}"
                         for machine in self.lab.pair for each in self.events(machine))
        mine = {each["kind"]: each["text"] for each in reversed(self.events(self.lb1))}
        self.assertIn("peer_synced", mine, told)
        # Any other reason would be that nobody had it, or that nobody else could.
        self.assertRegex(mine["vip_taken"], r"priority 150, over 100 of lb2", told)
        self.assertEqual(self.daemon(self.lb1)[1], 0)


class Upgrade(PairTest):
    newer = None  # packages of a later version; set by run.py

    def test_not_over_what_the_service_may_not_read(self):
        """What root may read and the service may not, since it is another user's, or in /tmp, which
        is not the service's: the old processes run on, which apt says."""
        other, mine = "/etc/bascule/conf.d/50-other.toml", "/etc/bascule/backend.toml"
        self._refused(self.lb2, "basculed", f"touch {other} && chmod 600 {other} && chown nobody "
                      f"{other}", rf"{other}\b.*Permission denied")
        self._refused(self.lb2, "basculed", f"mv {other} /tmp && chown root /tmp/50-other.toml && "
                      f"ln -s /tmp/50-other.toml {other}", rf"{other}\b.*No such file")
        self._refused(self.web2, "bascule-backend", f"chmod 600 {mine} && chown nobody {mine}",
                      rf"{mine}\b.*Permission denied")
        # Given to root, or taken away, they are no obstacle.
        for machine, unit, mend in ((self.lb2, "basculed", f"rm {other}"),
                                    (self.web2, "bascule-backend", f"chown root {mine}")):
            old = self.daemon(machine, unit)[0]
            said = machine.must_shell(f"{mend} && {self._again(unit)}")
            self.assertNotIn("NOT RUNNING", said)
            self.assertNotEqual(self.daemon(machine, unit)[0], old, said)

    def _refused(self, machine, unit, edit, place):
        """After an edit the same version once more does not replace what runs."""
        old = self.daemon(machine, unit)
        said = machine.must_shell(f"{edit} && {self._again(unit)}")
        self.assertRegex(said, place)
        self.assertIn("THE NEW VERSION IS NOT RUNNING", said)
        self.assertEqual(self.daemon(machine, unit), old, said)

    def _again(self, unit):
        package = "bascule" if unit == "basculed" else unit
        return f"apt install -y --reinstall ./{self._name_of(package, self.lab.debs)}"

    def test_both_in_turn(self):
        """To a higher version, on all machines and under load, by each of the two ways; whose
        configuration is edited keeps it."""
        packages.publish(self.newer, self.lab.releases)
        desk = self.lab.desk / "newer"
        desk.mkdir()
        for deb in self.newer:
            (desk / deb.name).symlink_to(deb)
        running, kept = self.fresh(), self.lasting()
        for machine, by_name in ((self.lb2, False), (self.lb1, True),
                                 (self.web1, False), (self.web2, True)):
            self._upgrade(machine, by_name)
            self.wait_well(NEWER_SETTLED)
            self.goes_on(running)
        self.assert_none_broke(kept)
        self.assert_none_failed(running)

    def _upgrade(self, machine, by_name):
        is_node = machine in self.lab.pair
        package, unit = ("bascule", "basculed") if is_node else ("bascule-backend",) * 2
        old, before = self.daemon(machine, unit)[0], self._version(machine, package)
        config = f"/{packages.CONFFILES[package]}"
        mine = machine.must("cat", config).stdout
        said = ""
        if by_name:
            name = self._name_of(package, self.newer)
            copied = self.lab.type_here(f"scp newer/{name} root@{machine.name}:")
            self.assertEqual(copied.returncode, 0, copied.stdout)
            said = machine.must_shell(f"apt install -y {KEEP_MINE} ./{name}")
        else:
            said = machine.must_shell(f"apt update && apt upgrade -y {KEEP_MINE}")
        version, pid = self._version(machine, package), self.daemon(machine, unit)[0]
        self.assertEqual(version, before + packages.NEWER, said)
        machine.must("dpkg", "--compare-versions", version, "gt", before)
        # What runs is the later program, and not what was there under its name.
        self.assertNotEqual(pid, old, said)
        self.assertEqual(machine.must("readlink", f"/proc/{pid}/exe").stdout.strip(),
                         f"/usr/sbin/{unit}")
        self.assertEqual(machine.must(f"/proc/{pid}/exe", "--version").stdout.strip(),
                         f"{unit} {version}")
        self.assertEqual(machine.must("cat", config).stdout, mine)

    @staticmethod
    def _version(machine, package):
        return machine.must("dpkg-query", "-W", "-f", "${Version}", package).stdout

    @staticmethod
    def _name_of(package, debs):
        return next(deb.name for deb in debs if deb.name.startswith(f"{package}_"))


class Farewell(BootedTest):
    """The packages go, and what they did to the machines with them. Leaves no pair."""

    def test_removed_and_purged(self):
        self.wait_well()
        self.prepare_load()
        BootedTest.broken = self.id()
        running = self.fresh()
        self.lb1.must_shell("apt remove -y bascule")
        self.assertEqual(self.holder(), ["lb2"])
        self.assertIn("bascule.toml", self.lb1.must("ls", "/etc/bascule").stdout)
        self._assert_nothing_attached(self.lb1)
        self.goes_on(running)
        self.assert_none_failed(running)
        self.lb2.must_shell("apt purge -y bascule")
        self.lb1.must_shell("apt purge -y bascule")
        for machine in self.lab.servers:
            machine.must_shell("apt purge -y bascule-backend")
            self.assertNotIn(VIP4, addresses(machine, "lo"))
            # They were set at boot by the companion's own file, which has to know how it was.
            self.assertEqual(arp_settings(machine), ["0", "0"])
        for machine in self.lab.machines:
            self._assert_nothing_attached(machine)
            self.assertEqual(leftovers(machine), [], machine.name)

    def _assert_nothing_attached(self, machine):
        self.assertIsNone(xdp(machine))
        self.assertNotIn(VIP4, addresses(machine))
        self.assertEqual(machine.must("find", "/sys/fs/bpf", "-name", "*bascule*").stdout, "")
        # Programs' own pairs of interfaces.
        shown = machine.must("ip", "-br", "link").stdout.splitlines()
        self.assertEqual({line.split()[0].partition("@")[0] for line in shown}, {"lo", "eth0"})
        self.assertEqual(machine.must("tc", "qdisc", "show", "dev", "eth0", "clsact").stdout, "")


def arp_settings(machine):
    return machine.must("sysctl", "-n", "net.ipv4.conf.all.arp_ignore",
                        "net.ipv4.conf.all.arp_announce").stdout.split()


def leftovers(machine):
    """Files that bear our name, but for what was copied there and the logs of the system."""
    found = machine.must("find", "/", "-xdev", "-name", "*bascule*", "-not", "-path", "/root/*",
                         "-not", "-path", "/proc/*", "-not", "-path", "/var/log/*", "-not", "-path",
                         "/var/lib/apt/*", "-not", "-path", "/var/cache/*").stdout.split()
    found += machine.must("find", "/run", "/etc/systemd", "-name", "*bascule*").stdout.split()
    return sorted(set(found))


# The order of the story.
STORY = (QuickStart, Services, Edits, Servers, Deaths, Upgrade, Farewell)


def story():
    """All tests, in order; within a class as they stand."""
    tests = []
    for each in STORY:
        tests += [each(name) for name in vars(each) if name.startswith("test_")]
    return unittest.TestSuite(tests)
