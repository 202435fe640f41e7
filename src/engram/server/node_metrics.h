// A node's metrics as Prometheus reads them: everything is counted elsewhere and gathered here when
// somebody scrapes.
//
// Thread-safety: one thread at a time, while the node's loops run. What it is given outlives it.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "engram/server/admission.h"
#include "engram/server/node_context.h"

namespace engram::server {

class NodeMetrics final : public prometheus::Collectable {
 public:
  // `started` is when this process began to be a node.
  NodeMetrics(NodeContext& context, const Admission& admission, WallMillis started);

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  void AddAdmission(std::vector<prometheus::MetricFamily>& out) const;
  void AddTombstones(std::vector<prometheus::MetricFamily>& out) const;
  void AddTable(std::vector<prometheus::MetricFamily>& out) const;
  void AddNodes(std::vector<prometheus::MetricFamily>& out) const;
  void AddPool(std::vector<prometheus::MetricFamily>& out) const;

  NodeContext& context_;
  const Admission& admission_;
  const WallMillis started_;
  // What the last scrape saw of the table.
  mutable uint64_t table_version_;
  mutable TimePoint table_changed_;
};

// In Prometheus' text format, version 0.0.4.
std::string ToText(const prometheus::Collectable& metrics);
inline constexpr char kMetricsContentType[] = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace engram::server
