// SPDX-License-Identifier: Apache-2.0
// Server and client over real sockets.
#include "control/server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "control/client.h"
#include "control/framing.h"
#include "running_server.h"
#include "temporary_directory.h"

namespace bascule::control {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// Longest wait for what has to happen; only a failing test uses it up.
constexpr auto kPatience = 20s;

// Answers a drain with the name it was asked for. "later" is answered after a while, "boom" throws,
// "huge" makes an answer that no socket buffer holds.
asio::awaitable<Response> echo(Request request) {
    const std::string& name = request.drain().backend();
    if (name == "boom") throw std::runtime_error("boom");
    if (name == "later") {
        asio::steady_timer timer(co_await asio::this_coro::executor, 300ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
    Response response;
    response.mutable_backend_changed()->mutable_backend()->set_name(name);
    if (name == "huge") response.mutable_backend_changed()->set_note(std::string(3 << 20, 'x'));
    co_return response;
}

Request named(const std::string& name) {
    Request request;
    request.mutable_drain()->set_backend(name);
    return request;
}

// A client that follows no protocol.
class RawClient {
public:
    explicit RawClient(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
            throw std::runtime_error(std::strerror(errno));
        }
    }
    ~RawClient() { ::close(fd_); }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    void send(std::string_view bytes) const {
        ASSERT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
    }
    // All that comes until the server closes; throws when it does not.
    std::string read_to_end() const {
        std::string all;
        std::array<char, 65536> chunk;
        for (;;) {
            pollfd entry{fd_, POLLIN, 0};
            auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(kPatience);
            if (::poll(&entry, 1, static_cast<int>(wait.count())) <= 0) {
                throw std::runtime_error("the server did not close the connection");
            }
            ssize_t n = ::recv(fd_, chunk.data(), chunk.size(), 0);
            if (n <= 0) return all;
            all.append(chunk.data(), static_cast<std::size_t>(n));
        }
    }

private:
    int fd_;
};

class ControlServer : public testing::Test {
protected:
    ServerOptions options() const {
        ServerOptions result;
        result.path = path();
        return result;
    }
    std::string path() const { return directory_.file("control.sock"); }
    Client connect() const {
        auto client = Client::connect(path(), kPatience);
        if (!client) throw std::runtime_error(client.error().text);
        return *std::move(client);
    }
    std::string ask(const std::string& name) const {
        Client client = connect();
        auto response = client.ask(named(name));
        return response ? response->backend_changed().backend().name() : response.error().text;
    }
    static Failure failure_in(const std::string& bytes) {
        FrameReader reader(kMostAnswerBytes);
        reader.push(bytes);
        auto body = reader.next();
        if (!body || !*body) return {};
        return decode_response(**body)->failure();
    }

    TemporaryDirectory directory_;
};

TEST_F(ControlServer, OneConnectionCarriesSeveralRequests) {
    RunningServer server(options(), echo);
    Client client = connect();
    for (int i = 0; i < 100; ++i) {
        auto response = client.ask(named(std::to_string(i)));
        ASSERT_TRUE(response) << response.error().text;
        EXPECT_EQ(response->backend_changed().backend().name(), std::to_string(i));
    }
}

TEST_F(ControlServer, PipelinedRequestsAreAnsweredInOrder) {
    RunningServer server(options(), echo);
    RawClient client(path());
    client.send(*encode(named("later")) + *encode(named("second")) + "\xff\xff\xff\xff");
    FrameReader reader(kMostAnswerBytes);
    reader.push(client.read_to_end());
    std::vector<std::string> names;
    for (int i = 0; i < 2; ++i) {
        names.push_back(decode_response(**reader.next())->backend_changed().backend().name());
    }
    EXPECT_EQ(names, (std::vector<std::string>{"later", "second"}));
}

TEST_F(ControlServer, ManyClientsAtOnce) {
    RunningServer server(options(), echo);
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 16; ++t) {
        threads.emplace_back([&, t] {
            Client client = connect();
            for (int i = 0; i < 50; ++i) {
                std::string name = std::to_string(t) + "-" + std::to_string(i);
                auto response = client.ask(named(name));
                if (response && response->backend_changed().backend().name() == name) ++right;
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(right, 16 * 50);
}

TEST_F(ControlServer, ALongAnswerArrivesWhole) {
    RunningServer server(options(), echo);
    auto response = connect().ask(named("huge"));
    ASSERT_TRUE(response) << response.error().text;
    EXPECT_EQ(response->backend_changed().note().size(), 3U << 20);
}

TEST_F(ControlServer, AnOversizedMessageIsToldAndClosed) {
    RunningServer server(options(), echo);
    RawClient client(path());
    client.send("\xff\xff\xff\xff and more that nobody reads");
    Failure failure = failure_in(client.read_to_end());
    EXPECT_EQ(failure.code(), Failure::FAILURE_INVALID);
    EXPECT_EQ(failure.message(), "a message of 4294967295 bytes; at most 65536 are taken");
    EXPECT_EQ(ask("still here"), "still here");
}

TEST_F(ControlServer, GarbageIsToldAndClosed) {
    RunningServer server(options(), echo);
    RawClient client(path());
    client.send(frame("\xff\xff\xff\xff\xff"));
    EXPECT_EQ(failure_in(client.read_to_end()).code(), Failure::FAILURE_INVALID);
    EXPECT_EQ(ask("still here"), "still here");
}

TEST_F(ControlServer, ARequestOfALaterVersionIsUnsupported) {
    RunningServer server(options(), echo);
    Client client = connect();
    auto response = client.ask(Request());
    ASSERT_TRUE(response) << response.error().text;
    EXPECT_EQ(response->failure().code(), Failure::FAILURE_UNSUPPORTED);
    EXPECT_TRUE(client.ask(named("next"))) << "the connection goes on";
}

TEST_F(ControlServer, AnExceptionIsTheAnswerOfThatRequestAlone) {
    RunningServer server(options(), echo);
    Client client = connect();
    auto response = client.ask(named("boom"));
    ASSERT_TRUE(response) << response.error().text;
    EXPECT_EQ(response->failure().code(), Failure::FAILURE_FAILED);
    EXPECT_EQ(response->failure().message(), "internal error: boom");
    EXPECT_TRUE(client.ask(named("next")));
}

TEST_F(ControlServer, AClientThatSendsNoWholeRequestIsClosedAndHoldsUpNobody) {
    ServerOptions quick = options();
    quick.idle_timeout = 200ms;
    RunningServer server(quick, echo);
    RawClient mute(path());
    RawClient slow(path());
    slow.send(std::string("\0\0", 2));
    EXPECT_EQ(ask("meanwhile"), "meanwhile");
    EXPECT_EQ(mute.read_to_end(), "");
    EXPECT_EQ(slow.read_to_end(), "");
}

TEST_F(ControlServer, AClientThatTakesNoAnswerIsClosedAndHoldsUpNobody) {
    ServerOptions quick = options();
    quick.idle_timeout = 200ms;
    RunningServer server(quick, echo);
    RawClient slow(path());
    slow.send(*encode(named("huge")));
    EXPECT_EQ(ask("meanwhile"), "meanwhile");
    auto end = std::chrono::steady_clock::now() + kPatience;
    while (server.clients() > 0 && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(20ms);
    }
    EXPECT_EQ(server.clients(), 0U);
    EXPECT_LT(slow.read_to_end().size(), 3U << 20);
}

TEST_F(ControlServer, AnAnswerMayTakeLongerThanTheIdleTimeout) {
    ServerOptions quick = options();
    quick.idle_timeout = 100ms;
    RunningServer server(quick, echo);
    EXPECT_EQ(ask("later"), "later");
}

TEST_F(ControlServer, OneClientTooManyIsToldSo) {
    ServerOptions few = options();
    few.max_clients = 2;
    RunningServer server(few, echo);
    {
        Client first = connect();
        Client second = connect();
        ASSERT_TRUE(first.ask(named("a")));
        ASSERT_TRUE(second.ask(named("b")));
        auto response = connect().ask(named("c"));
        ASSERT_TRUE(response) << response.error().text;
        EXPECT_EQ(response->failure().code(), Failure::FAILURE_BUSY);
        EXPECT_EQ(response->failure().message(), "the daemon serves 2 clients already");
    }
    auto end = std::chrono::steady_clock::now() + kPatience;
    while (server.clients() > 0 && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(10ms);
    }
    EXPECT_EQ(ask("d"), "d");
}

TEST_F(ControlServer, StopLetsAnAnswerGoOut) {
    RunningServer server(options(), echo);
    Client client = connect();
    ASSERT_TRUE(client.ask(named("first")));
    RawClient idle(path());
    std::string name;
    std::thread asking([&] {
        auto response = client.ask(named("later"));
        name = response ? response->backend_changed().backend().name() : response.error().text;
    });
    std::this_thread::sleep_for(100ms);
    server.stop();
    asking.join();
    EXPECT_EQ(name, "later");
    EXPECT_EQ(idle.read_to_end(), "");
    EXPECT_EQ(server.clients(), 0U);
    EXPECT_NE(::access(path().c_str(), F_OK), 0) << "the socket is taken away";
}

TEST_F(ControlServer, StopEndsWithAnAnswerThatNeverEnds) {
    ServerOptions brief = options();
    brief.grace = 100ms;
    RunningServer server(brief, [](Request) -> asio::awaitable<Response> {
        asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
        co_await timer.async_wait(asio::use_awaitable);
        co_return Response();
    });
    RawClient client(path());
    client.send(*encode(named("x")));
    std::this_thread::sleep_for(50ms);
    server.stop();
    EXPECT_EQ(client.read_to_end(), "");
}

TEST_F(ControlServer, TheModeIsWhatWasAskedForWhateverTheUmask) {
    mode_t before = ::umask(077);
    {
        RunningServer server(options(), echo);
        struct stat found {};
        ASSERT_EQ(::stat(path().c_str(), &found), 0);
        EXPECT_EQ(found.st_mode & 07777, 0660U);
    }
    ::umask(before);
}

TEST_F(ControlServer, ASecondDaemonIsRefusedAndTheFirstGoesOn) {
    RunningServer server(options(), echo);
    asio::io_context io;
    auto second = Server::open(io, options(), echo);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().text(), "another basculed is running on " + path() + " (process " +
                                         std::to_string(::getpid()) + ")");
    EXPECT_EQ(ask("first"), "first");
}

TEST_F(ControlServer, TheSocketOfADeadDaemonIsTakenOver) {
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        asio::io_context io;
        auto server = Server::open(io, options(), echo);
        ::_exit(server ? 0 : 1);  // as if killed: nothing is tidied up
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    ASSERT_EQ(::access(path().c_str(), F_OK), 0);
    auto client = Client::connect(path(), kPatience);
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().why, NoAnswer::Why::absent);

    RunningServer server(options(), echo);
    EXPECT_EQ(ask("taken over"), "taken over");
}

TEST_F(ControlServer, AFileInTheWayIsLeftAlone) {
    std::ofstream(path()) << "precious";
    asio::io_context io;
    auto server = Server::open(io, options(), echo);
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().text(), path() + " is in the way and is no socket");
    std::string text;
    std::ifstream(path()) >> text;
    EXPECT_EQ(text, "precious");
}

// Whoever can open the lock can hold it, and no daemon would start again.
TEST_F(ControlServer, NobodyElseCanHoldTheLock) {
    const std::string lock = path() + ".lock";
    std::ofstream(lock) << "left by an earlier one\n";
    ASSERT_EQ(::chmod(lock.c_str(), 0644), 0);
    RunningServer server(options(), echo);
    struct stat status {};
    ASSERT_EQ(::stat(lock.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(ControlServer, APathThatIsTooLongIsNamed) {
    ServerOptions longer = options();
    longer.path = directory_.file(std::string(200, 'x'));
    asio::io_context io;
    auto server = Server::open(io, longer, echo);
    ASSERT_FALSE(server);
    EXPECT_NE(server.error().text().find("too long for a Unix socket"), std::string::npos);
    EXPECT_FALSE(Client::connect(longer.path, kPatience));
}

TEST_F(ControlServer, AMissingDirectoryIsNamed) {
    ServerOptions elsewhere = options();
    elsewhere.path = directory_.file("none/control.sock");
    asio::io_context io;
    auto server = Server::open(io, elsewhere, echo);
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().text(), elsewhere.path + ".lock: No such file or directory");
}

TEST_F(ControlServer, ItMayBeDestroyedBeforeTheLoopRuns) {
    asio::io_context io;
    auto server = Server::open(io, options(), echo);
    ASSERT_TRUE(server) << server.error().text();
    server->reset();
    io.run();
    EXPECT_NE(::access(path().c_str(), F_OK), 0);
}

TEST_F(ControlServer, TheLoopMayEndWithClientsLeft) {
    auto io = std::make_unique<asio::io_context>();
    auto server = Server::open(*io, options(), echo);
    ASSERT_TRUE(server) << server.error().text();
    RawClient client(path());
    client.send(*encode(named("later")));
    io->run_for(100ms);
    server->reset();
    io.reset();
    EXPECT_EQ(client.read_to_end(), "");
}

// ---- the client's side ----

// Listens and does what it is told; never answers by itself.
class Listener {
public:
    explicit Listener(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
            ::listen(fd_, 1) != 0) {
            throw std::runtime_error(std::strerror(errno));
        }
    }
    ~Listener() { ::close(fd_); }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    void say_and_close(std::string_view bytes) const {
        int client = ::accept(fd_, nullptr, nullptr);
        EXPECT_EQ(::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
        ::close(client);
    }

private:
    int fd_;
};

TEST_F(ControlServer, NoSocketIsAbsent) {
    auto client = Client::connect(path(), kPatience);
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().why, NoAnswer::Why::absent);
    EXPECT_EQ(client.error().text,
              "no daemon answers on " + path() + ": No such file or directory");
}

TEST_F(ControlServer, ASocketOfOthersIsForbidden) {
    RunningServer server(options(), echo);
    ASSERT_EQ(::chmod(path().c_str(), 0), 0);
    if (::access(path().c_str(), W_OK) != 0) {
        EXPECT_EQ(Client::connect(path(), kPatience).error().why, NoAnswer::Why::forbidden);
        return;
    }
    // Root may write to anything: the same in a child that is nobody.
    ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        if (::setuid(65534) != 0) ::_exit(2);
        auto client = Client::connect(path(), kPatience);
        ::_exit(!client && client.error().why == NoAnswer::Why::forbidden ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST_F(ControlServer, ADaemonThatNeverAnswersIsSilent) {
    Listener listener(path());
    auto client = Client::connect(path(), 100ms);
    ASSERT_TRUE(client);
    auto response = client->ask(named("x"));
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().why, NoAnswer::Why::silent);
    EXPECT_EQ(response.error().text, "the daemon on " + path() + " did not answer within 0.1 s");
}

TEST_F(ControlServer, AnAnswerThatIsNoneIsBroken) {
    Listener listener(path());
    std::string whole = encode(Response());
    for (const std::string& bytes :
         {std::string(), std::string("\0\0", 2), std::string("\0\0\0\5ab", 6),
          frame("\xff\xff\xff"), std::string("\xff\xff\xff\xff")}) {
        auto client = Client::connect(path(), kPatience);
        ASSERT_TRUE(client);
        listener.say_and_close(bytes);
        auto response = client->ask(named("x"));
        ASSERT_FALSE(response);
        EXPECT_EQ(response.error().why, NoAnswer::Why::broken) << response.error().text;
    }
}

}  // namespace
}  // namespace bascule::control
