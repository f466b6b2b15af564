// SPDX-License-Identifier: Apache-2.0
// The reference of all metrics, as Markdown, from the schema.
#include "node/metric_schema.h"

namespace bascule::node {

namespace {

std::string_view name_of(MetricType type) {
    switch (type) {
        case MetricType::counter:
            return "counter";
        case MetricType::histogram:
            return "histogram";
        case MetricType::gauge:
            break;
    }
    return "gauge";
}

std::string labels_of(const MetricSchema& family) {
    std::string text;
    for (const std::string_view label : family.labels)
        text += (text.empty() ? "`" : ", `") + std::string(label) + "`";
    return text.empty() ? "–" : text;
}

constexpr std::string_view introduction =
    R"(# Metrics reference

<!-- Generated: build/release/bin/metric_reference > docs/reference/metrics.md -->

`GET /metrics` of the address in `[http]` answers in the
[Prometheus text format](https://prometheus.io/docs/instrumenting/exposition_formats/), version 0.0.4:

```toml
[http]
listen = "127.0.0.1:7401"
```

```yaml
scrape_configs:
  - job_name: bascule
    static_configs:
      - targets: ["lb1.example.org:7401", "lb2.example.org:7401"]
```

- There is no password and no TLS: whoever reaches the address reads it. Put it on loopback, on a network for
  management, or behind a proxy that asks. A connection that comes by way of a VIP is closed unheard, also with
  `0.0.0.0` or `[::]`.
- No client's address is ever a label. `service`, `backend` and `peer` are names of the configuration, `vip`,
  `protocol` (`tcp`, `udp`) and `port` (`80`, `8000-8099`, `any`) are the service's.
- Servers answer clients directly, so nothing here is about answers: packets and bytes are those of the clients alone.
- Counters of services, backends, drops and events are the kernel's: they go on over a restart of `basculed`, and
  begin anew when the programs are taken away, or for a service or backend that is new. The others begin with the process.
- What is asked for within a second of the last time is answered as then. 32 connections may be open at a time; a
  request has five seconds and 8 KiB; bodies are refused.
)";

}  // namespace

std::string metric_reference() {
    std::string text(introduction);
    for (const MetricGroup& group : metric_schema()) {
        text += "\n## " + std::string(group.title) +
                "\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n";
        for (const MetricSchema& family : group.families)
            text += "| `" + std::string(family.name) + "` | " + std::string(name_of(family.type)) +
                    " | " + labels_of(family) + " | " + std::string(family.meaning) + " |\n";
    }
    return text;
}

}  // namespace bascule::node
