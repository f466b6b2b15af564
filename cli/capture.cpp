// SPDX-License-Identifier: Apache-2.0
#include "cli/capture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "cli/capture_text.h"
#include "cli/console.h"
#include "cli/interrupt.h"
#include "cli/pcapng.h"

namespace bascule::cli {

namespace {

using control::CapturedPacket;

// Where packets go. What fails is told by flush(), at the end of each batch.
class Sink {
public:
    virtual ~Sink() = default;
    virtual void packet(const CapturedPacket& packet) = 0;
    virtual void end(std::uint64_t lost) = 0;
    // False: what has been written so far is not all there; errno says why.
    virtual bool flush() = 0;
};

class FileSink : public Sink {
public:
    FileSink(std::FILE* file, std::uint32_t snap_bytes)
        : file_(file), pcapng_("bascule " BASCULE_VERSION, snap_bytes) {
        write(pcapng_.header());
    }
    ~FileSink() override {
        if (file_ != stdout) std::fclose(file_);
    }
    FileSink(const FileSink&) = delete;
    FileSink& operator=(const FileSink&) = delete;

    void packet(const CapturedPacket& packet) override {
        std::string comment = what_of(packet);
        if (const auto fate = fate_of(packet); !fate.empty()) comment += ": " + fate;
        last_ = packet.unix_nanoseconds();
        write(pcapng_.packet({packet.interface(), packet.unix_nanoseconds(),
                              packet.what() == control::CAPTURE_LEAVES, packet.frame_bytes(),
                              packet.frame(), comment}));
    }
    void end(std::uint64_t lost) override { write(pcapng_.statistics(last_, lost)); }
    bool flush() override { return std::fflush(file_) == 0 && std::ferror(file_) == 0; }

private:
    void write(const std::string& bytes) { std::fwrite(bytes.data(), 1, bytes.size(), file_); }

    std::FILE* file_;
    Pcapng pcapng_;
    std::int64_t last_ = 0;
};

class LineSink : public Sink {
public:
    LineSink(bool json, bool colours) : json_(json), colours_(colours) {}

    void packet(const CapturedPacket& packet) override {
        print((json_ ? json_packet(packet).dump(-1, ' ', false, Json::error_handler_t::replace)
                     : line_of(packet, colours_)) +
              "\n");
    }
    void end(std::uint64_t) override {}
    bool flush() override { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }

private:
    bool json_;
    bool colours_;
};

// What clients send is in it: for its owner alone, also a file that was there. A device stays as it
// is. Null: errno says why.
std::FILE* open_private(const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return nullptr;
    struct stat info {};
    const bool ready =
        ::fstat(fd, &info) == 0 &&
        (!S_ISREG(info.st_mode) || (::fchmod(fd, 0600) == 0 && ::ftruncate(fd, 0) == 0));
    if (ready) return ::fdopen(fd, "wb");
    const int why = errno;
    ::close(fd);
    errno = why;
    return nullptr;
}

class Run {
public:
    Run(const Options& options, const Capture& task) : options_(options), task_(task) {}
    int run();

private:
    std::optional<int> open_sink();
    std::optional<int> start(control::Client& client);
    int loop(control::Client& client);
    bool take(const control::CaptureBatch& batch);
    bool stop(control::Client& client, bool discard);
    int finish();
    int write_failed(int why);

    const Options& options_;
    const Capture& task_;
    std::unique_ptr<Sink> sink_;
    std::uint64_t id_ = 0;
    std::uint64_t packets_ = 0;
    std::uint64_t lost_ = 0;
};

std::optional<int> Run::open_sink() {
    if (task_.file.empty()) {
        sink_ =
            std::make_unique<LineSink>(options_.json, screen_of(STDOUT_FILENO, options_).colours);
        return std::nullopt;
    }
    std::FILE* file = stdout;
    if (task_.file == "-") {
        if (::isatty(STDOUT_FILENO) != 0)
            return fail(options_, kFailed, "failed",
                        "the standard output is a terminal: give -w a file, or leave it out");
    } else {
        file = open_private(task_.file);
        if (file == nullptr)
            return fail(options_, kFailed, "failed",
                        fmt::format("{}: {}", task_.file, std::strerror(errno)));
    }
    sink_ = std::make_unique<FileSink>(file, task_.start.snap_bytes());
    return std::nullopt;
}

std::optional<int> Run::start(control::Client& client) {
    control::Request request;
    *request.mutable_capture_start() = task_.start;
    auto response = client.ask(request);
    if (!response) return no_answer(options_, response.error());
    if (response->has_failure()) return show(options_, *response);
    if (!response->has_capture_started())
        return fail(options_, kFailed, "failed", "the daemon does not know how to capture");
    id_ = response->capture_started().id();
    if (::isatty(STDERR_FILENO) != 0 && !options_.json)
        complain(fmt::format("capturing for at most {} s, Ctrl-C ends it\n",
                             response->capture_started().seconds()));
    return std::nullopt;
}

// False: it is enough.
bool Run::take(const control::CaptureBatch& batch) {
    lost_ = batch.lost();
    for (const auto& packet : batch.packets()) {
        sink_->packet(packet);
        if (++packets_ == task_.count) return false;
    }
    return true;
}

bool Run::stop(control::Client& client, bool discard) {
    control::Request request;
    request.mutable_capture_stop()->set_id(id_);
    request.mutable_capture_stop()->set_discard(discard);
    return client.ask(request).has_value();
}

int Run::loop(control::Client& client) {
    const InterruptCatch interrupt;
    bool stopped = false;
    for (;;) {
        control::Request request;
        request.mutable_capture_next()->set_id(id_);
        auto response = client.ask(request);
        if (!response) {
            finish();
            return no_answer(options_, response.error());
        }
        if (response->has_failure()) {
            finish();
            return show(options_, *response);
        }
        const auto& batch = response->capture_batch();
        const bool more = take(batch);
        if (!sink_->flush()) {
            const int why = errno;
            stop(client, true);
            return write_failed(why);
        }
        if (!more && !batch.ended()) stop(client, true);
        if (!more || batch.ended()) return finish();
        // What was captured before is still to come.
        if (interrupt.caught() && !stopped) stopped = stop(client, false);
    }
}

int Run::write_failed(int why) {
    return fail(
        options_, kFailed, "failed",
        fmt::format("{}: {}",
                    task_.file.empty() || task_.file == "-" ? "standard output" : task_.file,
                    std::strerror(why)));
}

int Run::finish() {
    sink_->end(lost_);
    if (!sink_->flush()) return write_failed(errno);
    if (options_.json && task_.file != "-") {
        Json document = json_head("capture", true);
        document["packets"] = packets_;
        document["lost"] = lost_;
        print(document.dump() + "\n");
    } else if (!options_.json) {
        complain(fmt::format("{} packets captured, {} lost\n", packets_, lost_));
    }
    return kWell;
}

int Run::run() {
    auto client = connect(options_);
    if (!client) return no_answer(options_, client.error());
    if (auto code = start(*client)) return *code;
    // Only now: the capture that runs already may be writing to the file of that name.
    if (auto code = open_sink()) {
        stop(*client, true);
        return *code;
    }
    return loop(*client);
}

}  // namespace

int capture(const Options& options, const Capture& task) {
    return Run(options, task).run();
}

}  // namespace bascule::cli
