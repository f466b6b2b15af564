// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <system_error>

namespace bascule {

Error Error::system(std::string_view what, int code) {
    std::string text(what);
    text += ": ";
    text += std::generic_category().message(code);
    return Error(std::move(text));
}

Error Error::within(std::string_view noun) && {
    std::string text(noun);
    text += ": ";
    text += text_;
    return Error(std::move(text));
}

}  // namespace bascule
