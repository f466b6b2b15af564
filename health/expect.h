// SPDX-License-Identifier: Apache-2.0
// What an answer has to contain: bytes, or a regular expression (RE2: linear in time, bounded in
// memory).
//
// Pure. Expressions are compiled once a process and shared by the targets that have them.
#pragma once

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "health/resources.h"
#include "model/config.h"

namespace re2 {
class RE2;
}

namespace bascule::health {

class Expect {
public:
    Expect() = default;  // nothing is expected

    // Fails when the regular expression is none, or too large.
    static Result<Expect> make(ProbeResources& resources, const model::HealthConfig& options);

    bool any() const { return expression_ || !bytes_.empty(); }
    bool met_by(std::string_view text) const;
    // `lacks "ok"`, `does not match "ok|fine"`: with what has been looked at in front, of which
    // there were so many bytes.
    std::string missing(std::size_t size) const;

private:
    std::string bytes_;
    std::shared_ptr<re2::RE2> expression_;
    std::size_t most_searched_ = 0;  // bytes of a text that the expression is looked for in
};

// Looks for an expectation in an answer that grows: at every growth while it is short, then ever
// more rarely, so that an answer in single bytes is not searched from its start for each.
class Search {
public:
    explicit Search(const Expect& expect) : expect_(expect) {}

    bool met_by(std::string_view so_far);
    bool met_at_last_by(std::string_view all) const { return expect_.met_by(all); }

private:
    const Expect& expect_;
    std::size_t looks_ = 0;
    std::size_t next_size_ = 0;
};

// Part of ProbeResources.
class Expressions {
public:
    explicit Expressions(boost::asio::io_context&) {}

    Result<std::shared_ptr<re2::RE2>> get(const std::string& pattern);

private:
    std::map<std::string, std::weak_ptr<re2::RE2>> compiled_;
};

}  // namespace bascule::health
