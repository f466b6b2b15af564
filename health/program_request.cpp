// SPDX-License-Identifier: Apache-2.0
#include "health/program_request.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace bascule::health {

namespace {

// What a message is, and in which form.
constexpr std::uint32_t version = 0x42505231;           // "BPR1"
constexpr std::uint32_t priority_version = 0x42505431;  // "BPT1"
// Above what a configuration's line and an event's text make; below a socket's buffer.
constexpr std::size_t most_bytes = 65536;
constexpr std::size_t descriptors = 2;

struct Header {
    std::uint32_t version;
    std::uint32_t uid;
    std::uint32_t gid;
    std::uint32_t groups;
    std::uint32_t arguments;
    std::uint32_t variables;
};

struct Priority {
    std::uint32_t version;
    std::int32_t thread;
    std::int32_t priority;
};

struct End {
    std::int32_t exited;
    std::int32_t exit_code;
    std::int32_t signal;
};

template <class T>
void append(std::string& text, const T& value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// The rest of a message: what is taken off it is checked against its end.
class Rest {
public:
    explicit Rest(std::string_view text) : text_(text) {}

    template <class T>
    bool take(T& value) {
        if (text_.size() < sizeof value) return false;
        std::memcpy(&value, text_.data(), sizeof value);
        text_.remove_prefix(sizeof value);
        return true;
    }
    bool take(std::vector<std::string>& words, std::uint32_t count) {
        for (; count > 0; --count) {
            const auto end = text_.find('\0');
            if (end == std::string_view::npos) return false;
            words.emplace_back(text_.substr(0, end));
            text_.remove_prefix(end + 1);
        }
        return true;
    }
    bool is_over() const { return text_.empty(); }

private:
    std::string_view text_;
};

bool parse(std::string_view text, ProgramRequest& request) {
    Rest rest(text);
    Header header{};
    if (!rest.take(header) || header.version != version) return false;
    request.user.uid = header.uid;
    request.user.gid = header.gid;
    for (std::uint32_t i = 0; i < header.groups; ++i) {
        gid_t group = 0;
        if (!rest.take(group)) return false;
        request.user.groups.push_back(group);
    }
    return rest.take(request.command, header.arguments) &&
           rest.take(request.environment, header.variables) && rest.is_over() &&
           !request.command.empty();
}

// Whatever came is owned by somebody at once.
std::vector<Descriptor> descriptors_of(msghdr& message) {
    std::vector<Descriptor> owned;
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            owned.emplace_back(fd);
        }
    }
    return owned;
}

using Control = std::array<char, CMSG_SPACE(descriptors * sizeof(int))>;

}  // namespace

Result<void> send_request(int socket, const ProgramRequest& request) {
    std::string text;
    append(text, Header{version, request.user.uid, request.user.gid,
                        static_cast<std::uint32_t>(request.user.groups.size()),
                        static_cast<std::uint32_t>(request.command.size()),
                        static_cast<std::uint32_t>(request.environment.size())});
    for (const gid_t group : request.user.groups)
        append(text, group);
    for (const auto* words : {&request.command, &request.environment})
        for (const auto& word : *words)
            text.append(word.c_str(), word.size() + 1);
    if (text.size() > most_bytes) return failure("its command and environment are too long");

    const std::array<int, descriptors> sent = {request.output.get(), request.failure.get()};
    alignas(cmsghdr) Control control{};
    iovec part{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof sent);
    std::memcpy(CMSG_DATA(rights), sent.data(), sizeof sent);
    if (::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return failure(Error::system("ask the helper for programs", errno));
    return {};
}

Result<ProgramRequest> receive_request(int socket) {
    std::string text(most_bytes, '\0');
    alignas(cmsghdr) Control control{};
    iovec part{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0) return failure(Error::system("read a request", errno));
    auto owned = descriptors_of(message);
    ProgramRequest request;
    const std::string_view whole(text.data(), static_cast<std::size_t>(got));
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || owned.size() != descriptors ||
        !parse(whole, request))
        return failure("a request that is none");
    request.output = std::move(owned[0]);
    request.failure = std::move(owned[1]);
    return request;
}

bool send_priority_request(int socket, const PriorityRequest& request) {
    const Priority words{priority_version, request.thread, request.priority};
    return ::send(socket, &words, sizeof words, MSG_NOSIGNAL | MSG_DONTWAIT) ==
           static_cast<ssize_t>(sizeof words);
}

std::optional<PriorityRequest> receive_priority_request(int socket) {
    Priority words{};
    if (::recv(socket, &words, sizeof words, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT) !=
            static_cast<ssize_t>(sizeof words) ||
        words.version != priority_version)
        return std::nullopt;
    static_cast<void>(::recv(socket, &words, sizeof words, MSG_DONTWAIT));
    return PriorityRequest{words.thread, words.priority};
}

void send_end(int socket, const ProcessEnd& end) {
    const End words{end.exit_code.has_value() ? 1 : 0, end.exit_code.value_or(0), end.signal};
    [[maybe_unused]] const ssize_t sent =
        ::send(socket, &words, sizeof words, MSG_NOSIGNAL | MSG_DONTWAIT);
}

std::optional<ProcessEnd> receive_end(int socket) {
    End words{};
    const ssize_t got = ::recv(socket, &words, sizeof words, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    if (got != static_cast<ssize_t>(sizeof words)) return ProcessEnd{};
    if (words.exited != 0) return ProcessEnd{words.exit_code, 0};
    return ProcessEnd{std::nullopt, words.signal};
}

}  // namespace bascule::health
