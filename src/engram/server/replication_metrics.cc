#include "engram/server/replication_metrics.h"

namespace engram::server {
namespace {

void AddBothWays(Families& out, Metric metric, const net::Counter& sent,
                 const net::Counter& received) {
  prometheus::MetricFamily& family = AddFamily(out, metric);
  AddValue(family, static_cast<double>(sent.value()), {{"direction", "sent"}});
  AddValue(family, static_cast<double>(received.value()), {{"direction", "received"}});
}

}  // namespace

void AddReplication(Families& out, const cluster::ReplicationCounters& counters) {
  AddBothWays(out, Metric::kReplicationFrames, counters.frames_sent, counters.frames_received);
  AddBothWays(out, Metric::kReplicationBytes, counters.bytes_sent, counters.bytes_received);
  AddBothWays(out, Metric::kReplicationMessages, counters.messages_sent,
              counters.messages_received);
  AddOne(out, Metric::kReplicationDropped, counters.messages_dropped.value());
  AddOne(out, Metric::kReplicationIgnored, counters.messages_ignored.value());
  AddOne(out, Metric::kReplicationRefused, counters.frames_refused.value());
  AddOne(out, Metric::kReplicationStreamsOpened, counters.streams_opened.value());
  AddOne(out, Metric::kReplicationStreamsLost, counters.streams_lost.value());
  AddOne(out, Metric::kReplicationPortsRefused, counters.ports_refused.value());
  AddOne(out, Metric::kReplicationPiecesCompared, counters.pieces_compared.value());
  AddOne(out, Metric::kReplicationPiecesMended, counters.pieces_mended.value());
}

}  // namespace engram::server
