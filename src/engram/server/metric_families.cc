#include "engram/server/metric_families.h"

#include <utility>

namespace engram::server {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

namespace {

prometheus::MetricType TypeOf(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return prometheus::MetricType::Counter;
    case MetricType::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricType::kHistogram:
      break;
  }
  return prometheus::MetricType::Histogram;
}

}  // namespace

MetricFamily& AddFamily(Families& out, std::string name, std::string_view help, MetricType type) {
  MetricFamily& family = out.emplace_back();
  family.name = std::move(name);
  family.help = help;
  family.type = TypeOf(type);
  return family;
}

MetricFamily& AddFamily(Families& out, Metric metric) {
  const MetricInfo& info = InfoOf(metric);
  return AddFamily(out, std::string(info.name), info.help, info.type);
}

void AddValue(MetricFamily& family, double value, Labels labels) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  if (family.type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
}

void AddOne(Families& out, Metric metric, double value) { AddValue(AddFamily(out, metric), value); }

void AddOne(Families& out, Metric metric, uint64_t value) {
  AddOne(out, metric, static_cast<double>(value));
}

}  // namespace engram::server
