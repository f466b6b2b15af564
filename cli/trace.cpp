// SPDX-License-Identifier: Apache-2.0
#include "cli/trace.h"

#include <fmt/format.h>

#include <span>
#include <string_view>

#include "cli/decode.h"
#include "cli/table.h"
#include "cli/wrap.h"

namespace bascule::cli {

namespace {

constexpr std::size_t default_width = 100;
constexpr std::size_t name_width = 10;

std::span<const std::uint8_t> bytes_of(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Json text_or_null(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

std::string hex(const std::string& bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const std::uint8_t byte : bytes_of(bytes))
        text += fmt::format("{:02x}", byte);
    return text;
}

std::string named(std::string_view name, std::string_view text, std::size_t indent,
                  std::size_t width) {
    return wrap(std::string(indent, ' ') + fmt::format("{:<{}}", name, name_width), text, width);
}

Colour colour_of(const control::Traced& traced) {
    if (traced.delivered()) return Colour::green;
    return traced.verdict() == "pass" ? Colour::yellow : Colour::red;
}

Json json_layers(const std::string& frame, bool encapsulated) {
    Json layers = Json::array();
    for (const Layer& layer : decode(bytes_of(frame), encapsulated).layers)
        layers.push_back(Json{{"layer", layer.name}, {"text", layer.text}});
    return layers;
}

}  // namespace

std::string render_trace(const control::Traced& traced, const Screen& screen) {
    const std::size_t width = screen.width != 0 ? screen.width : default_width;
    std::string text = wrap("", harmless(traced.summary()), width);
    if (!text.empty()) {
        text.pop_back();
        text = paint(text, colour_of(traced), screen.colours) + "\n\n";
    }
    const Decoded arrived = decode(bytes_of(traced.frame_in()), false);
    text += named("packet", fmt::format("{}, in by {}", arrived.line, harmless(traced.interface())),
                  0, width);
    for (const auto& step : traced.steps()) {
        text += named(harmless(step.step()), harmless(step.text()), 0, width);
        for (const auto& detail : step.details())
            text += wrap(std::string(name_width + 2, ' '), harmless(detail), width);
    }
    if (traced.out().empty()) return text;
    text += fmt::format("\non the wire, out of {}\n", harmless(traced.out()));
    for (const Layer& layer : decode(bytes_of(traced.frame_out()), traced.encapsulated()).layers)
        text += named(layer.name, layer.text, 2, width);
    return text;
}

Json json_trace(const control::Traced& traced) {
    Json document;
    document["delivered"] = traced.delivered();
    document["verdict"] = traced.verdict();
    document["summary"] = traced.summary();
    document["interface"] = traced.interface();
    document["service"] = text_or_null(traced.service());
    document["backend"] = text_or_null(traced.backend());
    document["drop"] = text_or_null(traced.drop());
    document["answered"] = traced.answered();
    document["events"] =
        Json(std::vector<std::string>(traced.events().begin(), traced.events().end()));
    document["ring"] = Json();
    if (traced.has_ring_slot())
        document["ring"] = Json{{"slot", traced.ring_slot()}, {"size", traced.ring_size()}};
    Json steps = Json::array();
    for (const auto& step : traced.steps()) {
        steps.push_back(Json{{"step", step.step()}, {"text", step.text()}});
        steps.back()["details"] =
            Json(std::vector<std::string>(step.details().begin(), step.details().end()));
    }
    document["steps"] = std::move(steps);
    document["in"] =
        Json{{"frame", hex(traced.frame_in())}, {"layers", json_layers(traced.frame_in(), false)}};
    document["out"] = Json();
    if (!traced.out().empty())
        document["out"] = Json{{"interface", traced.out()},
                               {"frame", hex(traced.frame_out())},
                               {"layers", json_layers(traced.frame_out(), traced.encapsulated())}};
    return document;
}

}  // namespace bascule::cli
