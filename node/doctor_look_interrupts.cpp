// SPDX-License-Identifier: Apache-2.0
// Which interrupts a NIC has, how often they came, and which CPUs serve them: from sysfs and /proc.
#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <sstream>

#include "node/doctor_look.h"
#include "node/files.h"

namespace bascule::node {

namespace {

constexpr std::size_t most_interrupts = 4096;
constexpr unsigned most_cpus = 4096;
constexpr std::size_t most_bytes = std::size_t{16} << 20;  // thousands of CPUs and interrupts

std::optional<unsigned> to_number(std::string_view text) {
    unsigned number = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
    return number;
}

// A device of virtio has its interrupts one floor below, with the PCI device.
Result<std::vector<unsigned>> numbers_of(const std::string& device) {
    std::error_code error;
    for (const std::string& folder : {device + "/msi_irqs", device + "/../msi_irqs"}) {
        std::filesystem::directory_iterator entries(folder, error);
        if (error) continue;
        std::vector<unsigned> numbers;
        for (const auto& entry : entries)
            if (const auto number = to_number(entry.path().filename().string());
                number && numbers.size() < most_interrupts)
                numbers.push_back(*number);
        return numbers;
    }
    return failure("its interrupts cannot be told from others'");
}

// Of "  24:   10   20  PCI-MSI 1-edge  eth0-rx-0" 24 and 30.
std::map<unsigned, std::uint64_t> counts_in(const std::string& text) {
    std::map<unsigned, std::uint64_t> counts;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string word;
        if (!(words >> word) || !word.ends_with(':')) continue;
        const auto number = to_number(std::string_view(word).substr(0, word.size() - 1));
        if (!number) continue;
        std::uint64_t sum = 0;
        for (std::uint64_t count = 0; words >> count;)
            sum += count;
        counts[*number] = sum;
    }
    return counts;
}

Result<std::set<unsigned>> cpus_of(unsigned interrupt, const std::string& proc) {
    const std::string folder = fmt::format("{}/irq/{}/", proc, interrupt);
    // The one of the two that tells what the hardware does is not everywhere.
    for (const char* name : {"effective_affinity_list", "smp_affinity_list"}) {
        const auto line = read_line(folder + name);
        if (!line || line->empty()) continue;
        if (auto cpus = parse_cpu_list(*line)) return *std::move(cpus);
    }
    return failure(folder + "smp_affinity_list cannot be read");
}

}  // namespace

std::optional<std::set<unsigned>> parse_cpu_list(std::string_view text) {
    std::set<unsigned> cpus;
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), part.size() + 1));
        const std::size_t dash = part.find('-');
        const auto first = to_number(part.substr(0, dash));
        const auto last = dash == std::string_view::npos ? first : to_number(part.substr(dash + 1));
        if (!first || !last || *first > *last || *last >= most_cpus) return std::nullopt;
        for (unsigned cpu = *first; cpu <= *last; ++cpu)
            cpus.insert(cpu);
    }
    if (cpus.empty()) return std::nullopt;
    return cpus;
}

Result<std::vector<Interrupt>> interrupts_of(const Link& link, const std::string& proc,
                                             const std::string& sys) {
    if (!link.kind.empty()) return std::vector<Interrupt>();  // no hardware
    const std::string place = sys + "/class/net/" + link.name;
    const auto index = read_number(place + "/ifindex");
    // A process may have entered the network namespace and see the machine's sysfs yet.
    if (!index || *index != static_cast<long>(link.ifindex))
        return failure(sys + " does not show this network namespace");
    auto numbers = numbers_of(place + "/device");
    if (!numbers) return failure(std::move(numbers.error()));
    const auto table = read_small_file(proc + "/interrupts", most_bytes);
    if (!table || !*table) return failure(proc + "/interrupts cannot be read");
    const auto counts = counts_in(**table);
    std::vector<Interrupt> interrupts;
    for (const unsigned number : *numbers) {
        auto cpus = cpus_of(number, proc);
        if (!cpus) return failure(std::move(cpus.error()));
        const auto count = counts.find(number);
        interrupts.push_back({number, count == counts.end() ? 0 : count->second, *std::move(cpus)});
    }
    return interrupts;
}

}  // namespace bascule::node
