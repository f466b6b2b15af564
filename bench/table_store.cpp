// SPDX-License-Identifier: Apache-2.0
#include "bench/table_store.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "bpf/contract.h"

namespace bascule::bench {
namespace {

using sync::StoredSession;

constexpr std::size_t page = 4096;
constexpr std::uint16_t service_slot = 3;
constexpr std::uint32_t backends = 64;

}  // namespace

void TableStore::FreePages::operator()(__u64* words) const {
    std::free(words);
}

TableStore::TableStore(std::uint64_t sessions, std::uint32_t clock_start)
    : clock_start_(clock_start) {
    services_.emplace(service, service_slot);
    for (std::uint32_t i = 0; i < backends; ++i)
        backends_.emplace(targets()[i], static_cast<std::uint16_t>(i));
    constexpr std::uint64_t ways_of_a_page = BSC_SETS_PER_PAGE_V4 * BSC_WAYS_PER_SET;
    const auto pages = static_cast<std::uint32_t>(sessions * 2 / ways_of_a_page + 1);
    words_.reset(static_cast<__u64*>(std::aligned_alloc(page, pages * page)));
    if (!words_) throw std::bad_alloc();
    std::memset(words_.get(), 0, pages * page);
    dataplane::SessionTable::Memory memory;
    memory.sets4 = words_.get();
    memory.pages4 = pages;
    // As random as the data plane's own: small ones would place these flows unevenly.
    memory.table_key[0] = 0x9ae16a3b2f90404fULL;
    memory.table_key[1] = 0xc949c7defebaa7cbULL ^ clock_start;
    table_ = std::make_unique<dataplane::SessionTable>(memory, [this] { return now(); });
}

sync::Flow TableStore::flow(std::uint32_t number) {
    sync::Flow flow;
    flow.source = Address::v4({10, static_cast<std::uint8_t>(number >> 18),
                               static_cast<std::uint8_t>(number >> 10),
                               static_cast<std::uint8_t>(number >> 2)});
    flow.source_port = static_cast<std::uint16_t>(20'000 + (number * 40'503U >> 3) % 40'000);
    flow.destination_port = static_cast<std::uint16_t>(80 + number % 4);
    flow.service = service;
    return flow;
}

const std::vector<sync::TargetId>& TableStore::targets() {
    static const std::vector<sync::TargetId> all = [] {
        std::vector<sync::TargetId> made;
        for (std::uint64_t i = 1; i <= backends; ++i)
            made.push_back(i * 0x0123'4567'89ab'cdULL);
        return made;
    }();
    return all;
}

sync::Seconds32 TableStore::now() const {
    const auto since = std::chrono::steady_clock::now() - start_;
    return clock_start_ + static_cast<std::uint32_t>(since / std::chrono::seconds(1));
}

std::uint32_t TableStore::established_limit(sync::ServiceId id) const {
    return services_.contains(id) ? limit : 0;
}

bool TableStore::knows(sync::ServiceId id, sync::TargetId target) const {
    return services_.contains(id) && backends_.contains(target);
}

dataplane::SessionKey TableStore::key_of(const sync::Flow& flow, std::uint16_t slot) {
    return {flow.source, flow.source_port, flow.destination_port, slot};
}

std::optional<StoredSession> TableStore::find(const sync::Flow& flow) const {
    const auto slot = services_.find(flow.service);
    if (slot == services_.end()) return std::nullopt;
    const auto found = table_->find(key_of(flow, slot->second));
    if (!found) return std::nullopt;
    StoredSession session;
    session.state = found->state == BSC_CLOSING ? StoredSession::State::closing
                                                : StoredSession::State::established;
    session.from_peer = found->from_peer;
    session.target = targets()[found->backend];
    session.seen = now() - found->idle;
    return session;
}

TableStore::Put TableStore::put(const sync::Flow& flow, const StoredSession& session) {
    const auto slot = services_.find(flow.service);
    const auto backend = backends_.find(session.target);
    if (slot == services_.end() || backend == backends_.end()) return Put::unknown_target;
    dataplane::Session stored;
    stored.key = key_of(flow, slot->second);
    stored.state = session.state == StoredSession::State::closing ? BSC_CLOSING : BSC_ESTABLISHED;
    stored.from_peer = session.from_peer;
    stored.backend = backend->second;
    stored.idle = now() - session.seen;
    return table_->put(stored) ? Put::stored : Put::no_room;
}

void TableStore::erase(const sync::Flow& flow) {
    const auto slot = services_.find(flow.service);
    if (slot != services_.end()) table_->erase(key_of(flow, slot->second));
}

void TableStore::walk(
    std::uint32_t part, std::uint32_t parts,
    const std::function<void(const sync::Flow&, const StoredSession&)>& visit) const {
    const sync::Seconds32 time = now();
    table_->walk(part, parts, [&](const dataplane::Session& found) {
        const sync::Flow flow{found.key.source, found.key.source_port, found.key.destination_port,
                              service};
        visit(flow, {found.state == BSC_CLOSING ? StoredSession::State::closing
                                                : StoredSession::State::established,
                     found.from_peer, targets()[found.backend], time - found.idle});
    });
}

std::uint64_t TableStore::size() const {
    std::uint64_t size = 0;
    table_->for_each([&](const dataplane::Session&) {
        ++size;
        return true;
    });
    return size;
}

}  // namespace bascule::bench
