// SPDX-License-Identifier: Apache-2.0
#include "model/man_text.h"

#include "model/config_reference.h"

namespace bascule::model {
namespace {

// Of the whole set, as mdoc(7) wants one: not that of a build, which would make every build
// another.
constexpr std::string_view date = "November 23, 2026";

// roff would take these for its own; in code '-' is a minus, and no quote is made round.
std::string escaped(char letter, bool is_code) {
    switch (letter) {
        case '\\':
            return "\\e";
        case '-':
            return is_code ? "\\-" : "-";
        case '\'':
            return is_code ? "\\(aq" : "'";
        case '^':
            return "\\(ha";
        case '~':
            return "\\(ti";
        default:
            return std::string(1, letter);
    }
}

// A line that begins with one of these would be a request.
bool begins_request(std::string_view line) {
    return line.starts_with('.') || line.starts_with('\'');
}

std::string literal_line(std::string_view line) {
    std::string text = begins_request(line) ? "\\&" : "";
    for (const char letter : line)
        text += escaped(letter, true);
    return text + "\n";
}

class Converter {
public:
    std::string convert(std::string_view markdown) {
        for (rest_ = markdown; !rest_.empty();)
            step();
        end_line();
        return text_;
    }

private:
    void step() {
        const char letter = rest_.front();
        if (letter == '`') {
            rest_.remove_prefix(1);
            is_code_ = !is_code_;
            line_ += is_code_ ? "\\fB" : "\\fP";
        } else if (!is_code_ && rest_.starts_with(". ")) {
            rest_.remove_prefix(2);
            line_ += '.';
            end_line();
        } else if (!is_code_ && letter == '[' && take_link()) {
            return;
        } else {
            rest_.remove_prefix(1);
            line_ += escaped(letter, is_code_);
        }
    }

    // [text](address); other brackets are brackets.
    bool take_link() {
        const std::size_t middle = rest_.find("](");
        const std::size_t end = rest_.find(')', middle);
        if (middle == std::string_view::npos || end == std::string_view::npos) return false;
        if (rest_.find('[', 1) < middle) return false;
        const std::string_view name = rest_.substr(1, middle - 1);
        const std::string_view address = rest_.substr(middle + 2, end - middle - 2);
        rest_.remove_prefix(end + 1);
        for (const char letter : std::string(name) + " (" + std::string(address) + ")")
            line_ += escaped(letter, true);
        return true;
    }

    void end_line() {
        if (line_.empty()) return;
        if (begins_request(line_)) text_ += "\\&";
        text_ += line_ + "\n";
        line_.clear();
    }

    std::string_view rest_;
    std::string line_;
    std::string text_;
    bool is_code_ = false;
};

// Without the end of its line.
std::string in_line(const std::string& markdown) {
    std::string text = man_text(markdown);
    if (!text.empty()) text.pop_back();
    return text;
}

std::string key_text(const KeySchema& key) {
    const std::string fallback =
        key.required ? "required" : "default: " + in_line(key_default(key));
    return ".It Sy " + std::string(key.key) + "\n\\fI" + in_line(key_value(key)) + "\\fR; " +
           fallback + ".\n.br\n" + man_text(key_only(key) + std::string(key.meaning));
}

}  // namespace

std::string man_head(std::string_view title) {
    std::string capitals;
    for (const char letter : title)
        capitals += letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
    return ".\\\" SPDX-License-Identifier: Apache-2.0\n.Dd " + std::string(date) + "\n.Dt " +
           capitals + " 5\n.Os Bascule\n";
}

std::string man_text(std::string_view markdown) {
    return Converter().convert(markdown);
}

std::string man_literal(std::string_view text) {
    std::string block = ".Bd -literal -offset indent\n";
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        block += literal_line(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return block + ".Ed\n";
}

std::string man_section(const TableSchema& table) {
    const std::string path(table.path);
    std::string text = ".Ss " + (table.repeated ? "[[" + path + "]]" : "[" + path + "]") + "\n" +
                       man_text(table.meaning) + ".Bl -tag -width Ds\n";
    for (const KeySchema& key : table.keys)
        if (!key.meaning.empty()) text += key_text(key);
    return text + ".El\n";
}

}  // namespace bascule::model
