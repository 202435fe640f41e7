// Building blocks of a scrape: families of metrics as the table of metrics.h describes them, and
// values in them.
//
// Pure; thread-compatible.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <string_view>
#include <vector>

#include "engram/server/metrics.h"

namespace engram::server {

using Families = std::vector<prometheus::MetricFamily>;
using Labels = std::vector<prometheus::ClientMetric::Label>;

// References live until the next family is added.
prometheus::MetricFamily& AddFamily(Families& out, std::string name, std::string_view help,
                                    MetricType type);
prometheus::MetricFamily& AddFamily(Families& out, Metric metric);
void AddValue(prometheus::MetricFamily& family, double value, Labels labels = {});

// A family of one value without labels.
void AddOne(Families& out, Metric metric, double value);
void AddOne(Families& out, Metric metric, uint64_t value);

}  // namespace engram::server
