// SPDX-License-Identifier: Apache-2.0
#include "cli/cluster_options.h"

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <string>

#include "base/command_line.h"

namespace bascule::cli {

namespace {

const std::map<std::string, KeyStep> steps = {
    {"add", KeyStep::add}, {"switch", KeyStep::switch_to}, {"drop", KeyStep::drop}};

struct KeygenArguments {
    std::string file = "/etc/bascule/cluster.key";
    std::string ring_from;
    std::string step;
};

}  // namespace

void add_show_peers(CLI::App& show, Options& options) {
    CLI::App* command =
        show.add_subcommand("peers", "The other nodes: who is alive, on which paths, and in step");
    command->add_flag("--detail", options.detail, "All that is known of each");
    command->final_callback([&options] {
        options.command = "show peers";
        Ask task;
        task.request.mutable_show_peers();
        options.task = std::move(task);
    });
}

void add_show_vips(CLI::App& show, Options& options) {
    CLI::App* command =
        show.add_subcommand("vips", "VIPs: which node has each of them, and who would take it");
    command->add_flag("--detail", options.detail, "What each node says of each");
    command->final_callback([&options] {
        options.command = "show vips";
        Ask task;
        task.request.mutable_show_vips();
        options.task = std::move(task);
    });
}

void add_failover(CLI::App& app, Options& options) {
    auto vip = std::make_shared<std::string>();
    CLI::App* command = app.add_subcommand(
        "failover", "Move a VIP to another node, or from another node to this one");
    command->add_option("VIP", *vip, "Its address; without it, all that this node has");
    command->final_callback([vip, &options] {
        options.command = "failover";
        Ask task;
        task.request.mutable_failover()->set_vip(*vip);
        options.task = std::move(task);
    });
}

void add_keygen(CLI::App& app, Options& options) {
    auto into = std::make_shared<KeygenArguments>();
    CLI::App* command =
        app.add_subcommand("keygen", "Make a cluster's key file, or rotate its key");
    command->add_option("FILE", into->file, "The key file")->capture_default_str();
    auto* ring = command->add_option("--ring-from", into->ring_from,
                                     "Keep the ring of a node that ran alone: its ring.key");
    ring->type_name("FILE");
    command
        ->add_option("--rotate", into->step,
                     "A step to another key: add, switch, drop; copy and reload after each")
        ->type_name("STEP")
        ->check(command_line::one_of({"add", "switch", "drop"}))
        ->excludes(ring);
    command->final_callback([into, &options] {
        options.command = "keygen";
        Keygen task{into->file, into->ring_from, std::nullopt};
        if (!into->step.empty()) task.rotate = steps.at(into->step);
        options.task = std::move(task);
    });
}

}  // namespace bascule::cli
