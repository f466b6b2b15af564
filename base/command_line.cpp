// SPDX-License-Identifier: Apache-2.0
#include "base/command_line.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>
#include <string_view>

#include "base/suggestion.h"

namespace bascule::command_line {
namespace {

constexpr int wrong_usage = 2;
constexpr std::size_t columns = 100;
constexpr std::size_t left_column = 30;

// Breaks lines at spaces.
std::string wrapped(const std::string& text, std::size_t width) {
    std::string lines;
    std::size_t used = 0;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        const std::size_t length = end - at;
        if (used > 0 && used + 1 + length > width) {
            lines += '\n';
            used = 0;
        }
        if (used > 0) {
            lines += ' ';
            ++used;
        }
        lines.append(text, at, length);
        used += length;
        at = end + 1;
    }
    return lines;
}

std::string exchanged(std::string text, std::string_view old, std::string_view fresh) {
    if (const auto at = text.find(old); at != std::string::npos)
        text.replace(at, old.size(), fresh);
    return text;
}

// CLI11 writes the types and bounds of values, which are in the descriptions or go without saying,
// and wraps nothing.
class Form : public CLI::Formatter {
public:
    Form() {
        column_width(left_column);
        label("SUBCOMMAND", "COMMAND");
    }

    std::string make_positionals(const CLI::App* app) const override {
        return exchanged(Formatter::make_positionals(app), "\nPositionals:", "\nArguments:");
    }
    std::string make_subcommands(const CLI::App* app, CLI::AppFormatMode mode) const override {
        return exchanged(Formatter::make_subcommands(app, mode), "\nSubcommands:", "\nCommands:");
    }
    std::string make_subcommand(const CLI::App* sub) const override {
        std::stringstream out;
        CLI::detail::format_help(out, sub->get_display_name(true),
                                 wrapped(sub->get_description(), columns - left_column),
                                 left_column);
        return out.str();
    }
    std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
        return exchanged(Formatter::make_option_name(option, is_positional), "{false}", "");
    }
    std::string make_option_opts(const CLI::Option* option) const override {
        const bool takes_value = option->get_type_size() != 0 && !option->get_positional();
        return takes_value ? " " + option->get_type_name() : "";
    }
    std::string make_option_desc(const CLI::Option* option) const override {
        std::string text = option->get_description();
        if (!option->get_default_str().empty())
            text += " (default: " + option->get_default_str() + ")";
        return wrapped(text, columns - left_column);
    }
    std::string make_footer(const CLI::App* app) const override {
        return app->get_footer().empty() ? "" : app->get_footer() + "\n";
    }
};

// The command that was read last: "bascule show".
const CLI::App& innermost(const CLI::App& app) {
    const CLI::App* at = &app;
    while (!at->get_subcommands().empty())
        at = at->get_subcommands().back();
    return *at;
}

std::string path_of(const CLI::App& app) {
    return (app.get_parent() == nullptr ? "" : path_of(*app.get_parent()) + " ") + app.get_name();
}

std::vector<std::string> commands_of(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands(nullptr))
        names.push_back(command->get_name());
    return names;
}

// Those of the program, too: they may stand behind a command.
std::vector<std::string> options_of(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* at = &app; at != nullptr; at = at->get_parent())
        for (const CLI::Option* option : at->get_options()) {
            for (const auto& name : option->get_lnames())
                names.push_back("--" + name);
            for (const auto& name : option->get_snames())
                names.push_back("-" + name);
        }
    return names;
}

// Of one letter, or an option of one, anything could be meant.
std::string meant(const std::string& word, const std::vector<std::string>& words) {
    if (word.size() < 3) return "";
    std::string_view best =
        word == "help" ? "--help" : nearest_word(word, {words.begin(), words.end()});
    for (const std::string& each : words)
        if (best.empty() && each.starts_with(word)) best = each;
    return best.empty() ? "" : ", did you mean '" + std::string(best) + "'?";
}

std::string listed(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text;
}

// About what was left over, or is missing where a command should stand.
std::string about_words(const CLI::App& app, const CLI::App& at, bool needs_command) {
    const std::vector<std::string> left = app.remaining(true);
    const std::string word = left.empty() ? "" : left.front().substr(0, left.front().find('='));
    if (word.size() > 1 && word.front() == '-')
        return "unknown option '" + word + "'" + meant(word, options_of(at));
    if (needs_command && word.empty())
        return "a command is missing, one of\n" + wrapped(listed(commands_of(at)), columns);
    if (needs_command) return "unknown command '" + word + "'" + meant(word, commands_of(at));
    return "unexpected argument '" + word + "'";
}

bool is(const CLI::ParseError& error, CLI::ExitCodes code) {
    return error.get_exit_code() == static_cast<int>(code);
}

// Other errors: CLI11's words, where they can be understood.
std::string about_value(const CLI::ParseError& error) {
    std::string text = error.what();
    if (is(error, CLI::ExitCodes::RequiredError))
        return exchanged(text, " is required", " is missing");
    if (is(error, CLI::ExitCodes::ExcludesError))
        return exchanged(text, " excludes ", " does not go together with ");
    if (is(error, CLI::ExitCodes::ArgumentMismatch))
        return text.substr(0, text.find(':')) +
               (text.ends_with("missing") ? " needs a value" : " is given more than once");
    return text;
}

}  // namespace

void set_form(CLI::App& app, const std::string& version) {
    app.formatter(std::make_shared<Form>());
    app.set_help_flag("-h,--help", "Print this help");
    app.set_version_flag("--version", app.get_name() + " " + version, "Print the version");
}

int explain(const CLI::App& app, const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    const CLI::App& at = innermost(app);
    const bool needs_command = at.get_require_subcommand_min() > 0;
    const bool of_words = is(error, CLI::ExitCodes::ExtrasError) ||
                          (is(error, CLI::ExitCodes::RequiredError) && needs_command);
    const std::string what = of_words ? about_words(app, at, needs_command) : about_value(error);
    std::fprintf(stderr, "%s: %s\nSee: %s --help\n", path_of(at).c_str(), what.c_str(),
                 path_of(at).c_str());
    return wrong_usage;
}

CLI::Validator one_of(std::vector<std::string> words) {
    return {[words = std::move(words)](std::string& text) {
                const bool found = std::find(words.begin(), words.end(), text) != words.end();
                return found ? std::string()
                             : "'" + text + "' is none of " + listed(words) + meant(text, words);
            },
            "", "word"};
}

CLI::Validator number(std::uint64_t least, std::uint64_t most) {
    return {[least, most](std::string& text) {
                std::uint64_t value = 0;
                const char* const end = text.data() + text.size();
                const auto [stop, code] = std::from_chars(text.data(), end, value);
                const bool well =
                    code == std::errc() && stop == end && value >= least && value <= most;
                return well ? std::string()
                            : "'" + text + "' is no number from " + std::to_string(least) + " to " +
                                  std::to_string(most);
            },
            "", "number"};
}

CLI::Validator seconds(double most) {
    return {[most](std::string& text) {
                double value = 0;
                const char* const end = text.data() + text.size();
                const auto [stop, code] = std::from_chars(text.data(), end, value);
                const bool well = code == std::errc() && stop == end && value > 0 && value <= most;
                return well ? std::string()
                            : "'" + text + "' is no number of seconds above 0, at most " +
                                  std::to_string(static_cast<std::uint64_t>(most));
            },
            "", "seconds"};
}

}  // namespace bascule::command_line
