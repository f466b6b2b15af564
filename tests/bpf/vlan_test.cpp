// SPDX-License-Identifier: Apache-2.0
// VLAN tags in the frame against the tag of the way to the backend: put on, taken off, changed, or
// left as they are.
#include <gtest/gtest.h>

#include "checksum.h"
#include "delivery.h"

namespace bascule::test {

namespace {

using model::Forward;

// Tags of the frame from the outside in, as they stand there (priority, then the id).
struct TagCase {
    std::string name;
    std::vector<std::uint16_t> tags;
    std::uint16_t vlan;  // of the way
    bool fits;           // into an L2 delivery
};
void PrintTo(const TagCase& test, std::ostream* out) {
    *out << test.name;
}

const std::vector<TagCase>& tag_cases() {
    static const std::vector<TagCase> cases{
        {"untagged_to_untagged", {}, 0, true},
        {"untagged_to_tagged", {}, 100, true},
        {"untagged_to_the_last_id", {}, 4094, true},
        {"tagged_to_untagged", {100}, 0, true},
        {"tagged_to_the_same", {100}, 100, true},
        {"tagged_to_another", {100}, 200, true},
        {"priority_and_id_to_another", {0xa064}, 200, true},
        {"priority_and_id_to_the_same", {0xe064}, 100, true},
        {"priority_alone_to_untagged", {0xa000}, 0, true},
        {"priority_alone_to_tagged", {0xa000}, 300, true},
        {"two_tags_to_the_inner_one", {7, 100}, 100, true},
        {"two_tags_to_the_outer_one", {7, 100}, 7, false},
        {"two_tags_to_untagged", {7, 100}, 0, false},
        {"two_tags_to_another", {7, 100}, 200, false},
    };
    return cases;
}

using Parameter = std::tuple<TagCase, Family>;

class Tags : public OwnTables, public ::testing::WithParamInterface<Parameter> {
protected:
    const TagCase& test() const { return std::get<0>(GetParam()); }
    const Family& family() const { return std::get<1>(GetParam()); }
    Bytes frame(std::size_t payload = 20) const {
        Frame frame;
        for (std::size_t i = 0; i < test().tags.size(); i++)
            frame.vlan(test().tags[i], i + 1 < test().tags.size() ? 0x88a8 : 0x8100);
        return frame.ip(family().client, family().vip)
            .tcp({.flags = syn})
            .payload(payload)
            .checked();
    }
    Way with_vlan(Way way) const {
        way.vlan = test().vlan;
        return way;
    }
    void serve_by(const Way& way) {
        Served served;
        served.family = family();
        served.way = way;
        serve({served});
    }
};

INSTANTIATE_TEST_SUITE_P(All, Tags,
                         ::testing::Combine(::testing::ValuesIn(tag_cases()),
                                            ::testing::Values(ipv4_family(), ipv6_family())),
                         [](const auto& test) {
                             return std::get<0>(test.param).name + "_" +
                                    std::get<1>(test.param).name;
                         });

TEST_P(Tags, L2) {
    const Way way = with_vlan(l2_way());
    serve_by(way);
    if (test().fits) {
        expect_delivered(frame(), way);
        expect_counts({"session_inserted"});
    } else {
        expect_untouched(frame(), Verdict::drop);
        expect_counts({"session_inserted", "other_interface"});
    }
}

TEST_P(Tags, TunnelsAreTaggedAnew) {
    for (const NamedWay& named : every_tunnel()) {
        SCOPED_TRACE(named.name);
        const Way way = with_vlan(named.way);
        serve_by(way);
        expect_delivered(frame(), way);
    }
}

TEST_P(Tags, WithAnotherPort) {
    if (!test().fits) return;
    Way way = with_vlan(l2_way());
    way.port = rewritten_port;
    serve_by(way);
    expect_delivered(frame(), way);
}

// To this host's own stack the tags go up as they came: Linux knows its VLAN interfaces.
TEST_P(Tags, LocalKeepsThem) {
    Way way = local_way();
    way.port = rewritten_port;
    serve_by(way);
    expect_delivered(frame(), way);
}

// The client hears it where it is: with the tags that it sent.
TEST_P(Tags, AnswersKeepThem) {
    Served served;
    served.family = family();
    served.way = with_vlan(tunnel_way(Forward::ipip, true));
    served.mtu = family().vip.is_v4() ? 600 : 1320;
    serve({served});
    Bytes in = frame(1300);
    if (family().vip.is_v4()) {
        const std::size_t l3 = tagging_of(in).l3;
        in[l3 + 6] = 0x40;  // must not be fragmented
        in[l3 + 10] = in[l3 + 11] = 0;
        const Bytes ip(in.begin() + static_cast<long>(l3), in.end());
        put16(in, l3 + 10, right_ipv4_checksum(ip));
    }
    expect_frame(in, Verdict::tx, too_big_frame(in, static_cast<std::uint16_t>(served.mtu - 20)));
    EXPECT_EQ(engine().counted().count("too_big"), 1U);
}

}  // namespace

}  // namespace bascule::test
