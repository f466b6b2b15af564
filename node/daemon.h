// SPDX-License-Identifier: Apache-2.0
// The daemon of a node: starts the parts, joins them, and carries out what changes.
//
// Every change goes one way: configuration, check, operator's word or neighbour -> State ->
// desired -> plan -> tables. Thread: control.
#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/dataplane.h"
#include "model/ring_memo.h"
#include "node/checks.h"
#include "node/cluster.h"
#include "node/config_files.h"
#include "node/event_log.h"
#include "node/hearing.h"
#include "node/hook.h"
#include "node/links.h"
#include "node/neighbours.h"
#include "node/program_pace.h"
#include "node/readiness.h"
#include "node/session_worker.h"
#include "node/shared_state.h"
#include "node/soon.h"
#include "node/state.h"
#include "node/vip_duty.h"
#include "node/vip_keeper.h"
#include "node/vip_takers.h"

namespace bascule::node {

class HttpDesk;

struct Options {
    std::string config = "/etc/bascule/bascule.toml";
    std::string runtime_dir = "/run/bascule";
    std::string bpffs = "/sys/fs/bpf/bascule";
    std::string state_dir = "/var/lib/bascule";
};

struct ReloadReport {
    enum class Outcome { applied, refused, failed, busy };
    Outcome outcome = Outcome::applied;
    std::string message;               // why not
    std::vector<std::string> details;  // "file:line:column: message"
    std::vector<std::string> changes;  // in words
    std::size_t writes = 0;            // to the tables
    std::int64_t unix_seconds = 0;
};

// What a detach took away.
struct Detached {
    std::vector<std::string> interfaces;
    std::vector<std::string> vips;
};

class Daemon {
public:
    Daemon(boost::asio::io_context& io, Options options);
    ~Daemon();

    // Takes up the work, adopting what an earlier daemon left. When it fails and there was nothing
    // of one, all that it had set up is taken away again; else what forwards goes on.
    boost::asio::awaitable<Result<void>> start(LoadedConfig loaded);

    // Reads the files again: applied whole, or refused whole. While one runs, another is `busy`.
    boost::asio::awaitable<ReloadReport> reload();
    // As reload(); while one runs, another follows it. For signals, which nobody waits for.
    void request_reload();

    // What the operator says of a backend. Kept on disk before it counts.
    Result<void> say(const BackendName& backend, const OperatorWord& word);

    // Hands its VIPs over and tells the cluster that it goes, for it is about to; at most a second
    // each. Nothing without one.
    boost::asio::awaitable<void> leave() { return leave(true); }
    // The operator's word, in a cluster: gives the VIP away, or takes it. False: not now.
    bool move_vip(const Address& vip) { return cluster_ && cluster_->move_vip(vip); }

    // VIPs, the part in the cluster, programs, pins: all away. The daemon is of no use afterwards.
    // While it is busy(), or when a VIP cannot be taken away, it fails and the daemon runs on.
    boost::asio::awaitable<Result<Detached>> detach();
    // The same of a daemon that is not running.
    static Result<Detached> detach_dead(const std::string& bpffs);

    // ---- for answers ----
    const Options& options() const { return options_; }
    const State& state() const { return *state_; }
    const dataplane::Dataplane& dataplane() const { return *dataplane_; }
    dataplane::Dataplane& dataplane() { return *dataplane_; }
    const VipKeeper& vips() const { return *vips_; }
    const LinkWatch& links() const { return *links_; }
    const NeighbourWatch& neighbours() const { return *neighbours_; }
    const VipDuty& vip_duty() const { return *vip_duty_; }
    const Checks& checks() const { return *checks_; }
    const EventLog& events() const { return events_; }
    const SharedState& shared() const { return *shared_; }
    // nullptr: a node by itself.
    const Cluster* cluster() const { return cluster_.get(); }
    // Why a node that should be in a cluster speaks to nobody; empty: it does, or is in none.
    const std::string& cluster_problem() const { return cluster_problem_; }
    std::uint64_t ring_hash() const { return ring_hash_; }
    const Hook& hook() const { return hook_; }
    const HttpDesk& http() const { return *http_; }
    const SessionReport& sessions() const { return session_report_; }
    const LoadedConfig& loaded() const { return loaded_; }
    const std::optional<ReloadReport>& last_reload() const { return last_reload_; }
    std::chrono::seconds uptime() const;
    bool running() const { return dataplane_ != nullptr && worker_ != nullptr; }
    // With a change that has to end before another may begin: a reload, a detach.
    bool busy() const { return reloading_ || detaching_; }
    // Why the tables are not what they should be, and tried again; empty: they are.
    const std::string& tables_problem() const { return tables_problem_; }
    // Interfaces of the configuration that carry no program, and why.
    const std::map<std::string, std::string>& attach_problems() const { return attach_problems_; }
    // Programs that others took off.
    const ProgramPace& program_pace() const { return program_pace_; }

private:
    // start, step by step
    boost::asio::awaitable<Result<void>> take_up(const model::Config& config);
    Result<void> open_parts(const model::Config& config);
    Result<void> open_dataplane(const model::Config& config);
    static Result<void> check_interfaces(const model::Config& config);
    Result<void> watch_interfaces(const model::Config& config);
    Result<void> put_programs_on(const model::Config& config);
    boost::asio::awaitable<void> await_neighbours(model::Config config);
    Result<void> attach(const std::string& interface, model::XdpMode mode);
    Result<void> detach_others(const model::Config& config);
    Result<void> drop_stale_vips(const model::Config& config);
    void undo_start();
    // At the end: whatever VIP this host still has.
    Result<void> release_all();

    // its checks (checking.cpp)
    void begin_checks(const model::Config& config);
    boost::asio::awaitable<void> await_verdicts();
    void open_path(const model::Config& config);

    // its cluster (clustering.cpp)
    Result<void> read_secrets(const model::Config& config);
    // `kept`: VIPs that this node has had by itself until now.
    Result<void> open_cluster(const model::Config& config, std::vector<Address> kept);
    // As a node by itself, after a cluster. What of it cannot be had, in words.
    std::vector<std::string> take_up_vips(const model::Config& config);
    Result<void> may_be_alone(const model::Config& next) const;
    void follow_vips(const model::Config& before, const model::Config& next);
    boost::asio::awaitable<void> leave(bool hand_over);
    // After a reload. What changed, in words. Takes a second at most, to tell peers of an end.
    boost::asio::awaitable<std::vector<std::string>> follow_cluster(
        const model::Config& before, const model::Config& next,
        std::optional<sync::ClusterKeys> keys);
    void follow_shared(const model::Config& config);
    void on_shared(const std::vector<std::string>& keys);
    void say_facts();
    void every_second();
    void watch_programs();

    // what it does by itself (upkeep.cpp)
    //
    // Makes the tables what this configuration and all else ask for; how many writes it took. What
    // fails is tried again later, for the configuration that runs then.
    Result<std::size_t> converge(const model::Config& config);
    Result<std::size_t> write_tables(const model::Config& config);
    // Tables and VIPs as State has them now, and who has to be told.
    Result<std::size_t> settle();
    void upkeep();
    void on_neighbours(const std::vector<NeighbourState>& changes);
    void on_link(const LinkChange& change);
    void on_vip_held(const Address& vip, bool held);
    void on_sessions(const SessionReport& report);
    void restore_interface(const std::string& name);
    void restore_program(const std::string& name);
    // Where it was taken away by others.
    void restore_programs();
    void restore_taken_off(const std::string& name);

    void set_log_level(model::LogLevel level);

    // reload, step by step (reload.cpp)
    boost::asio::awaitable<ReloadReport> reload_now();
    boost::asio::awaitable<Result<void>> clear_the_way(const model::Config& before,
                                                       const model::Config& next);
    boost::asio::awaitable<std::size_t> lead_over(const model::Config& before,
                                                  const model::Config& next);
    Result<std::size_t> switch_to(const model::Config& before, const model::Config& next);
    Result<std::size_t> try_switch(const model::Config& from, const model::Config& to);
    void run_with(const model::Config& config);
    void go_back(const model::Config& from, const model::Config& to);

    boost::asio::io_context& io_;
    Options options_;
    VipTakers takers_;
    EventLog events_;
    Hook hook_;
    std::chrono::steady_clock::time_point started_;
    LoadedConfig loaded_;  // what runs
    std::shared_ptr<SharedState> shared_;
    std::unique_ptr<State> state_;
    std::unique_ptr<dataplane::Dataplane> dataplane_;
    std::unique_ptr<LinkWatch> links_;
    std::unique_ptr<NeighbourWatch> neighbours_;
    std::unique_ptr<VipKeeper> vips_;
    std::unique_ptr<VipDuty> vip_duty_;
    std::unique_ptr<Checks> checks_;
    Readiness readiness_;
    std::unique_ptr<SessionWorker> worker_;
    std::optional<sync::ClusterKeys> keys_;    // with a cluster
    std::array<std::uint64_t, 2> ring_key_{};  // that the data plane runs by
    std::uint64_t ring_hash_ = 0;              // of what stands in the tables
    std::unique_ptr<EpochFile> epochs_;        // with a cluster
    std::unique_ptr<Cluster> cluster_;         // goes before the worker and the epochs
    SessionReport session_report_;
    std::optional<ReloadReport> last_reload_;
    std::map<std::string, std::string> attach_problems_;
    ProgramPace program_pace_;
    Hearing hearing_;
    std::string tables_problem_;
    std::string cluster_problem_;
    model::RingMemo ring_memo_;
    Soon settle_soon_;
    Soon upkeep_soon_;
    Soon every_second_;
    Soon watch_programs_;
    bool reloading_ = false;
    bool reload_again_ = false;
    bool detaching_ = false;
    std::unique_ptr<HttpDesk> http_;  // goes first: it shows the rest
};

}  // namespace bascule::node
