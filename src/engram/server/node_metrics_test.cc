#include "engram/server/node_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "engram/server/metrics.h"

namespace engram::server {
namespace {

using testing::HasSubstr;
using testing::Not;

class NodeMetricsTest : public testing::Test {
 protected:
  NodeMetricsTest() { loops_.Start(); }
  ~NodeMetricsTest() override {
    pool_.Close();
    loops_.Stop();
  }

  NodeConfig config_;
  net::EventLoopGroup loops_{2};
  net::ConnectionPool pool_{loops_, {}};
  NodeContext context_{config_, loops_, pool_, 1};
  Admission admission_{config_, loops_};
  NodeMetrics metrics_{context_, admission_, WallMillis{1'500}};
};

TEST_F(NodeMetricsTest, ShowsEveryMetricOnceWithHelpAndType) {
  std::map<std::string, int> seen;
  for (const prometheus::MetricFamily& family : metrics_.Collect()) ++seen[family.name];
  for (const MetricInfo& info : MetricInfos())
    EXPECT_EQ(seen[std::string(info.name)], 1) << info.name;
  EXPECT_EQ(seen.size(),
            MetricInfos().size() + net::CounterNames().size() + net::GaugeNames().size());
  const std::string text = ToText(metrics_);
  EXPECT_THAT(text, HasSubstr("# TYPE engram_routing_hops_total counter\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE engram_wire_bytes_held gauge\n"));
  EXPECT_THAT(text, HasSubstr("\nengram_routing_hops_total 0\n"));
  EXPECT_THAT(text, HasSubstr("\nprocess_start_time_seconds 1.5\n"));
}

TEST_F(NodeMetricsTest, ShowsTheStreamsOfReplicationOnceThereAreSome) {
  EXPECT_THAT(ToText(metrics_), HasSubstr("\nengram_replication_streams_opened_total 0\n"));
  cluster::ReplicationCounters streams;
  context_.replication_streams = &streams;
  streams.frames_sent.Add(3);
  streams.frames_received.Add(2);
  streams.streams_opened.Add();
  const std::string text = ToText(metrics_);
  EXPECT_THAT(text, HasSubstr("\nengram_replication_frames_total{direction=\"sent\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("\nengram_replication_frames_total{direction=\"received\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\nengram_replication_streams_opened_total 1\n"));
}

TEST_F(NodeMetricsTest, ShowsAHistogramAsPrometheusWantsIt) {
  context_.metrics.Record(0, {.took = std::chrono::microseconds(3)});
  context_.metrics.Record(1, {.took = std::chrono::hours(1)});
  const std::string text = ToText(metrics_);
  const std::string name = "engram_routing_request_duration_seconds";
  EXPECT_THAT(text, HasSubstr(name + "_count{strategy=\"local\",outcome=\"ok\"} 2\n"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket{strategy=\"local\",outcome=\"ok\",le=\"4e-06\"} 1"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket{strategy=\"local\",outcome=\"ok\",le=\"+Inf\"} 2"));
  EXPECT_THAT(text, Not(HasSubstr("outcome=\"overloaded\"")));
}

TEST_F(NodeMetricsTest, CountsAsShedWhatThisNodeRefusedItself) {
  using routing::Strategy;
  context_.metrics.Record(0, {.strategy = Strategy::kLocal, .outcome = ErrorCode::kOverloaded});
  context_.metrics.Record(0, {.strategy = Strategy::kPrimary, .outcome = ErrorCode::kOverloaded});
  context_.metrics.RecordPeer(1, ErrorCode::kOverloaded);
  EXPECT_THAT(ToText(metrics_), HasSubstr("\nengram_overload_sheds_total 2\n"));
}

TEST_F(NodeMetricsTest, ShowsTheGatesByOperationsAndReason) {
  const std::string text = ToText(metrics_);
  EXPECT_THAT(text, HasSubstr("\nengram_admission_running{operations=\"writes\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nengram_admission_waiting{operations=\"recalls\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nengram_admission_sheds_total{operations=\"writes\",reason="
                              "\"queue_full\"} 0\n"));
}

TEST_F(NodeMetricsTest, ShowsTombstones) {
  EXPECT_THAT(ToText(metrics_), HasSubstr("\nengram_tombstones 0\n"));
  context_.tombstones = [] { return memory::TombstoneCounts{3, 4}; };
  const std::string text = ToText(metrics_);
  EXPECT_THAT(text, HasSubstr("\nengram_tombstones 3\n"));
  EXPECT_THAT(text, HasSubstr("\nengram_tombstones_collected_total 4\n"));
}

TEST_F(NodeMetricsTest, ShowsTheTable) {
  const placement::Assignment assignment{SpaceId("s"), NodeId("n"), {}, {{1, NodeId("n")}, 1}};
  context_.table.Apply(std::span(&assignment, 1));
  EXPECT_THAT(ToText(metrics_), HasSubstr("\nengram_routing_table_spaces 1\n"));
}

TEST_F(NodeMetricsTest, ShowsTheBreakersOfOtherNodes) {
  routing::NodeState& other = context_.nodes.Of(context_.nodes.Intern(NodeId("other")));
  context_.nodes.Intern(context_.self);
  std::mt19937_64 random(1);
  for (int i = 0; i < 5; ++i) other.reads.OnFailure(*other.reads.Admit(Now()), Now(), random);
  const std::string text = ToText(metrics_);
  const std::string reads = "{node=\"other\",operations=\"reads\"}";
  const std::string writes = "{node=\"other\",operations=\"writes\"}";
  EXPECT_THAT(text, HasSubstr("\nengram_node_breaker_state" + reads + " 2\n"));
  EXPECT_THAT(text, HasSubstr("\nengram_node_breaker_openings_total" + reads + " 1\n"));
  EXPECT_THAT(text, HasSubstr("\nengram_node_breaker_state" + writes + " 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("{node=\"" + context_.self.value() + "\",operations")));
}

TEST_F(NodeMetricsTest, ShowsHowLongNodesTakeOnceTheyHaveAnswered) {
  routing::NodeState& other = context_.nodes.Of(context_.nodes.Intern(NodeId("other")));
  EXPECT_THAT(ToText(metrics_), Not(HasSubstr("\nengram_node_latency_seconds{")));
  other.latency.Begin();
  other.latency.Begin();
  other.latency.End(std::chrono::seconds(2), Now());
  const std::string text = ToText(metrics_);
  EXPECT_THAT(text, HasSubstr("\nengram_node_latency_seconds{node=\"other\"} "));
  EXPECT_THAT(text, HasSubstr("\nengram_node_pending_requests{node=\"other\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nengram_node_retry_budget{node=\"other\"} "));
}

TEST_F(NodeMetricsTest, ShowsThePoolByNode) {
  loops_.at(0).Post([this] { pool_.Get(0, NodeId("other"), "127.0.0.1:1"); });
  std::string text = ToText(metrics_);
  while (text.find("engram_pool_channels{node=\"other\"} ") == std::string::npos) {
    text = ToText(metrics_);
  }
  EXPECT_THAT(text, HasSubstr("\nengram_pool_nodes 1\n"));
  EXPECT_THAT(text, HasSubstr("\nengram_pool_channels_ready{node=\"other\"} 0\n"));
}

}  // namespace
}  // namespace engram::server
