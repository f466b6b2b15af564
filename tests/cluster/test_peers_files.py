# SPDX-License-Identifier: Apache-2.0
"""A cluster's files as an operator gets them wrong: clear words, and nothing that runs is lost."""

from host import checked, wait_until
from pair import INTERVAL_MS, NOISE, PairTest, key_path


class FilesTest(PairTest):
    lab_options = {"nodes": 2, "backends": 2}

    def assert_refused(self, *words, config=None):
        """`check`, `reload` and the start of another daemon say all of these words; node1, which
        runs, is as it was."""
        one, two = self.nodes
        good = one.config
        before = one.picture()
        if config is not None:
            one.write_config(config)
        try:
            said = {"check": one.cli("check", one.config_path), "reload": one.cli("reload")}
            for what, done in said.items():
                self.assertNotEqual(done.returncode, 0, what)
                for word in words:
                    self.assertIn(word, " ".join((done.stdout + done.stderr).split()), what)
            two.stop()
            if config is not None:
                two.write_config(config)
            else:
                key_path(two).chmod(key_path(one).stat().st_mode & 0o777)
                key_path(two).write_bytes(key_path(one).read_bytes())
            status, text = two.start_refused()
            self.assertEqual(status, 1, text)
            for word in words:
                self.assertIn(word, " ".join(text.split()))
        finally:
            one.write_config(good)
            self.lab.write_key(one)
            self.lab.write_key(two)
            two.write_config(self.lab.config(two))
        self.assertEqual(one.picture(), before)
        self.assertTrue(one.ask("show", "peers")["in_cluster"])
        two.daemon = None

    def configs(self):
        """What is wrong → (the file, words that tell it)."""
        one, two = self.nodes
        good = self.lab.config(one)

        def wrong(change, *words):
            config = good.copy()
            change(config.cluster_nodes)
            return config, words

        def address(nodes, node, path, text):
            nodes[node]["addresses"][path] = text

        return {
            "a list without this node": wrong(
                lambda nodes: nodes[0].update(name="lb9"), "node1", "cluster.node"),
            "two nodes of one name": wrong(
                lambda nodes: nodes[1].update(name="node1"), "node1"),
            "another family": wrong(
                lambda nodes: address(nodes, 1, 0, "[fd00:9::12]:7400"), "IP version"),
            "one address for two": wrong(
                lambda nodes: address(nodes, 1, 0, nodes[0]["addresses"][0]), "10.9.0.11"),
            "fewer paths than the other": wrong(
                lambda nodes: nodes[1]["addresses"].pop(), "address"),
            "a VIP": wrong(
                lambda nodes: address(nodes, 1, 0, "10.9.0.100:7400"), "10.9.0.100", "VIP"),
            "one node alone": wrong(lambda nodes: nodes.pop(), "two"),
        }

    def test_a_list_of_nodes_that_cannot_be(self):
        one = self.nodes[0]
        for what, (config, words) in self.configs().items():
            with self.subTest(what):
                one.write_config(config)
                done = one.cli("check", one.config_path)
                reload = one.cli("reload")
                one.write_config(self.lab.config(one))
                for said in (done, reload):
                    text = " ".join((said.stdout + said.stderr).split())
                    self.assertNotEqual(said.returncode, 0, text)
                    self.assertRegex(text, r"bascule\.toml:\d+:\d+: ")
                    for word in words:
                        self.assertIn(word, text)
        self.assertTrue(self.lab.in_step())
        config, words = self.configs()["a list without this node"]
        self.assert_refused(*words, config=config)

    def test_a_key_file_that_cannot_be(self):
        one, two = self.nodes
        self.lab.write_key(one, mode=0o644)
        self.assert_refused("cluster.key", "chmod 600")
        two.start(accept=(0, 4))
        self.lab.write_key(one, keys=["ab" * 31])
        self.assert_refused("cluster.key", "64 hex digits")
        two.start(accept=(0, 4))
        key_path(one).unlink()
        done = one.cli("check", one.config_path)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("keygen", done.stdout + done.stderr)
        self.lab.write_key(one)
        self.lab.wait_in_step()

    def test_keygen_makes_a_file_that_is_taken_and_overwrites_none(self):
        one, two = self.nodes
        made = one.directory / "made.key"
        one.must_cli("keygen", made)
        self.assertEqual(made.stat().st_mode & 0o777, 0o600)
        text = made.read_text()
        self.assertNotEqual(one.cli("keygen", made).returncode, 0)
        self.assertEqual(made.read_text(), text)
        for node in self.nodes:
            node.stop()
            key_path(node).write_text(text)
        for node in self.nodes:
            node.start(accept=(0, 4))
        self.lab.wait_in_step()
        for node in self.nodes:
            node.stop()
            self.lab.write_key(node)

    def test_a_full_disk_stops_no_replication_and_is_told(self):
        one, two = self.nodes
        self.addCleanup(self._give_disk_back)
        two.stop()
        checked(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(two.state_dir)])
        two.start(accept=(0, 4))
        self.lab.wait_in_step()
        with self.assertRaises(OSError), open(two.state_dir / "ballast", "wb", 0) as file:
            while True:
                file.write(bytes(4096))
        refused = two.cli("drain", "web/web1")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("No space left", refused.stdout + refused.stderr)
        self.assertNotEqual(one.backends()["web/web1"]["state"], "drained")
        # What a peer says counts all the same, and so do the sessions.
        one.must_cli("drain", "web/web2")
        wait_until(lambda: two.backends()["web/web2"]["state"] == "drained",
                   INTERVAL_MS / 1000 + NOISE, "node2 to hear of the drain")
        self.wait_says(two, "No space left")
        kept = self.kept(100)
        self.lab.wait_tables_agree(100, 0.1 + NOISE)
        self.assertTrue(self.lab.in_step())
        (two.state_dir / "ballast").unlink()
        self.wait_well(two)
        two.kill()
        two.start(accept=(0, 4))
        self.assertEqual(two.backends()["web/web2"]["state"], "drained")
        one.must_cli("enable", "web/web2")
        self.assert_kept(kept)

    def _give_disk_back(self):
        two = self.nodes[1]
        if two.daemon is not None:
            two.stop()
        checked(["umount", str(two.state_dir)])
