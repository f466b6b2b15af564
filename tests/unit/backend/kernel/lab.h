// SPDX-License-Identifier: Apache-2.0
// A real server ("here") and its network ("there"), in namespaces of the test's own, joined by a
// veth pair; bascule-backend runs here as the program that is shipped. All of it goes with the
// process, however that ends.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "backend/packets.h"
#include "base/address.h"
#include "base/descriptor.h"

namespace bascule::test {

// To be called once, before the first thread. False: not root, said on stderr.
bool enter_private_world();

Address ip(const char* text);

// What a shell command printed on both outputs, and how it ended.
struct Ended {
    int status = -1;
    std::string output;
};
Ended shell(const std::string& command);
void must(const std::string& command);

class Lab : public testing::Test {
protected:
    // VIPs, addresses of the server, of its balancer and of a client behind that.
    static constexpr const char* vip4 = "10.9.0.100";
    static constexpr const char* vip6 = "fd00:9::100";
    static constexpr const char* server4 = "10.9.0.1";
    static constexpr const char* server6 = "fd00:9::1";
    static constexpr const char* balancer4 = "10.9.0.2";
    static constexpr const char* balancer6 = "fd00:9::2";
    static constexpr const char* client4 = "198.51.100.1";
    static constexpr const char* client6 = "2001:db8:1::1";
    static constexpr std::uint16_t service_port = 25'000;
    static constexpr std::uint16_t server_port = 25'001;

    void SetUp() override;
    void TearDown() override;

    // Runs `what` in the server's network.
    void there(const std::function<void()>& what);

    // Two VIPs, by the ways given, as in `["ipip", "gue"]`; ports rewritten, TCP and UDP.
    static std::string config(const std::string& forward, const std::string& server_keys = "",
                              bool ports = true);
    void write_config(const std::string& text);

    // The program: started until it is ready, told something, ended by a signal (its exit status).
    void start(const std::string& config_text);
    void start();
    void send(int signal) const;
    int end(int signal);
    void kill();
    Ended command(const std::string& words);
    // One that ends by itself, as a refusal does.
    Ended run_to_end();
    std::string log() const;
    std::uint64_t counter(const std::string& name);
    // Waits until that holds, or for so long that something must be broken.
    static bool eventually(const std::function<bool()>& holds);

    // Sends a frame of an IP packet to the server, from its network.
    void send_packet(const backend::Bytes& packet);
    // All that this program may change here, as text.
    static std::string snapshot();

    const std::string directory_ = "/mnt/server";
    const std::string record_ = directory_ + "/run/state.json";
    const std::string bpffs_ = "/sys/fs/bpf/server";
    const std::string sysctl_dir_ = directory_ + "/sysctl.d";
    Mac server_mac_;
    Mac there_mac_;

private:
    std::vector<std::string> words(const std::string& command) const;

    Descriptor here_;
    Descriptor there_;
    Descriptor wire_;  // raw, there
    pid_t process_ = 0;
};

}  // namespace bascule::test
