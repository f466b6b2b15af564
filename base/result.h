// SPDX-License-Identifier: Apache-2.0
// Expected failures as values.
//
// A function that can fail for a reason outside the program returns Result<T>; each layer adds the
// noun it knows: `return std::move(error).within("attach eth0")` reads "attach eth0: no such
// device". Exceptions are for bugs and for start-up.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace bascule {

class Error {
public:
    explicit Error(std::string text) : text_(std::move(text)) {}

    // `what` failed with errno `code`.
    static Error system(std::string_view what, int code);

    const std::string& text() const& { return text_; }

    // The same error with the noun of the calling layer in front.
    Error within(std::string_view noun) &&;

private:
    std::string text_;
};

template <typename T>
using Result = tl::expected<T, Error>;

// return failure("...") from any function that returns a Result.
inline tl::unexpected<Error> failure(std::string text) {
    return tl::unexpected<Error>(Error(std::move(text)));
}
inline tl::unexpected<Error> failure(Error error) {
    return tl::unexpected<Error>(std::move(error));
}

}  // namespace bascule
