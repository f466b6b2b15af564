// SPDX-License-Identifier: Apache-2.0
#include "support/session_hammer.h"

#include <arpa/inet.h>

#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "support/native_table.h"
#include "support/session_checker.h"

namespace bascule::test {

namespace {

using dataplane::SessionKey;

constexpr NativeLimits limits{1, 2, 2};
constexpr int threads = 4;
constexpr std::uint32_t crowded_sets = 4;
constexpr std::size_t crowd = 48;  // keys in 16 ways

SessionKey readable(const NativeKey<1>& key) {
    SessionKey out;
    out.source = Address::v4_from_wire(static_cast<std::uint32_t>(key.word[0]));
    out.source_port = ntohs(static_cast<std::uint16_t>(key.word[0] >> 32));
    out.destination_port = ntohs(static_cast<std::uint16_t>(key.word[0] >> 48));
    out.service = static_cast<std::uint16_t>(key.service);
    return out;
}

SessionKey readable(const NativeKey<3>& key) {
    SessionKey out;
    Address::Bytes bytes;
    std::memcpy(bytes.data(), key.word, 16);
    out.source = Address(bytes);
    out.source_port = ntohs(static_cast<std::uint16_t>(key.word[2]));
    out.destination_port = ntohs(static_cast<std::uint16_t>(key.word[2] >> 16));
    out.service = static_cast<std::uint16_t>(key.service);
    return out;
}

// IPv6 keys share their first words by two and by four, so that a half-written key is another key.
template <int Words>
NativeKey<Words> make_key(std::uint64_t i) {
    NativeKey<Words> key;
    if constexpr (Words == BSC_KEY_WORDS_V4) {
        key.word[0] = i * 0x9e3779b97f4a7c15ULL;
    } else {
        key.word[0] = 0x1000 + i % 2;
        key.word[1] = 0x2000 + i % 4;
        key.word[2] = i & 0xffffffff;
    }
    key.service = 1 + i % 2;
    return key;
}

template <int Words>
class Hammer {
public:
    Hammer() : checker_([this](const SessionKey& key) { return backend_of(key); }) {
        for (std::uint64_t i = 1; keys_.size() < crowd; i++) {
            const auto key = make_key<Words>(i);
            const bsc_place at = table_.place(key);
            if (at.first >= crowded_sets || at.second >= crowded_sets) continue;
            keys_.push_back(key);
            backends_[readable(key)] = static_cast<std::uint16_t>(keys_.size());
        }
    }

    HammerReport run(std::chrono::milliseconds duration) {
        start_ = std::chrono::steady_clock::now();
        end_ = start_ + duration;
        std::vector<std::thread> workers;
        for (unsigned i = 0; i < threads; i++)
            workers.emplace_back([this, i] { work(i); });
        sweep();
        for (std::thread& worker : workers)
            worker.join();
        report_.checked = checker_.seen();
        report_.mismatches = checker_.mismatches();
        report_.first_mismatch = checker_.first_mismatch();
        report_.inserted = inserted_;
        report_.displaced = displaced_;
        report_.lost = lost_;
        report_.freed = freed_;
        return report_;
    }

private:
    std::uint16_t backend_of(const SessionKey& key) const {
        const auto found = backends_.find(key);
        return found == backends_.end() ? std::uint16_t{0} : found->second;
    }
    bool is_over() const {
        return std::chrono::steady_clock::now() >= end_ || checker_.mismatches() != 0;
    }
    std::uint32_t now() const {
        const auto elapsed = std::chrono::steady_clock::now() - start_;
        return 1000 + static_cast<std::uint32_t>(
                          std::chrono::duration_cast<std::chrono::seconds>(elapsed).count());
    }

    void work(unsigned seed) {
        std::minstd_rand random(seed + 1);
        while (!is_over()) {
            const std::uint32_t time = now();
            for (int i = 0; i < 256; i++)
                step(random, time);
        }
    }

    void step(std::minstd_rand& random, std::uint32_t time) {
        const std::size_t i = random() % keys_.size();
        const auto& key = keys_[i];
        const auto backend = static_cast<std::uint16_t>(i + 1);
        const bsc_found found = table_.find(key);
        const auto dice = random() % 16;
        if (found.way == nullptr) {
            insert(key, backend, dice, time);
            return;
        }
        checker_.check(readable(key), static_cast<std::uint16_t>(bsc_backend_of(found.b)), backend);
        if (dice < 4) {
            if (bsc_free(found.way, Words, found.b)) freed_++;
        } else if (dice < 8) {
            bsc_cas(found.way + Words, found.b, bsc_restate(found.b, BSC_ESTABLISHED, time));
        } else if (dice < 10) {
            bsc_cas(found.way + Words, found.b, bsc_restate(found.b, BSC_CLOSING, time));
        }
    }

    void insert(const NativeKey<Words>& key, std::uint16_t backend, unsigned long dice,
                std::uint32_t time) {
        const __u64 b =
            BSC_EMBRYONIC | bsc_target(backend, backend) | bsc_stamp(BSC_EMBRYONIC, time);
        const std::uint32_t allowed = dice == 0 ? BSC_RANK_ESTABLISHED : BSC_RANK_CLOSING;
        switch (table_.insert(key, b, time, &limits, allowed)) {
            case Inserted::displaced:
                displaced_++;
                [[fallthrough]];
            case Inserted::in_free:
                inserted_++;
                break;
            case Inserted::lost:
                lost_++;
                break;
            case Inserted::no_room:
                break;
        }
    }

    void sweep() {
        dataplane::SessionTable table(memory(), [this] { return now(); });
        const dataplane::IdleLimits each{true, limits.unproven, limits.established, limits.closing};
        const std::vector<dataplane::IdleLimits> by_slot(3, each);
        while (!is_over()) {
            dataplane::SweepReport report;
            table.sweep(0, 1, by_slot,
                        {[this](const dataplane::Session& session) { checker_.look(session); },
                         [this](const dataplane::Session& session) { checker_.look(session); }},
                        report);
            report_.swept += report.expired + report.duplicates;
            table.for_each([this](const dataplane::Session& session) {
                checker_.look(session);
                return true;
            });
        }
    }

    // The other family has no pages, so nothing is read there.
    dataplane::SessionTable::Memory memory() const {
        dataplane::SessionTable::Memory memory;
        (Words == BSC_KEY_WORDS_V4 ? memory.sets4 : memory.sets6) = table_.words();
        (Words == BSC_KEY_WORDS_V4 ? memory.pages4 : memory.pages6) = table_.pages();
        memory.table_key[0] = table_.table_key[0];
        memory.table_key[1] = table_.table_key[1];
        return memory;
    }

    NativeTable<Words> table_{1};
    std::vector<NativeKey<Words>> keys_;
    std::map<SessionKey, std::uint16_t> backends_;
    SessionChecker checker_;
    std::chrono::steady_clock::time_point start_, end_;
    std::atomic<std::uint64_t> inserted_{0}, displaced_{0}, lost_{0}, freed_{0};
    HammerReport report_;
};

}  // namespace

HammerReport hammer_v4(std::chrono::milliseconds duration) {
    return Hammer<BSC_KEY_WORDS_V4>().run(duration);
}

HammerReport hammer_v6(std::chrono::milliseconds duration) {
    return Hammer<BSC_KEY_WORDS_V6>().run(duration);
}

}  // namespace bascule::test
