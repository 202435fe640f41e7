// Documents that must say what the code says.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "engram/base/error.h"
#include "engram/net/counters.h"
#include "engram/server/metrics.h"
#include "engram/v1/error.pb.h"

namespace engram::server {
namespace {

std::string ReadDocument(const std::string& name) {
  std::ifstream in(ENGRAM_SOURCE_DIR "/docs/" + name);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Rows of tables whose first cell is a metric's name.
size_t RowsOfMetrics(const std::string& text) {
  size_t rows = 0;
  for (const char* prefix : {"\n| `engram_", "\n| `process_"}) {
    for (size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at + 1)) {
      ++rows;
    }
  }
  return rows;
}

TEST(Docs, MetricsListsEveryMetricAsTheTableHasIt) {
  const std::string text = ReadDocument("METRICS.md");
  for (const MetricInfo& info : MetricInfos()) {
    const std::string row = fmt::format("\n| `{}` | {} | {} | {} |\n", info.name, NameOf(info.type),
                                        info.labels.empty() ? "-" : info.labels, info.help);
    EXPECT_NE(text.find(row), std::string::npos) << row;
  }
  EXPECT_EQ(RowsOfMetrics(text), MetricInfos().size());
}

TEST(Docs, MetricsListsEveryCounterOfTheWire) {
  const std::string text = ReadDocument("METRICS.md");
  for (const net::CounterName& counter : net::CounterNames()) {
    const std::string name = fmt::format("`{}{}_total`", kWirePrefix, counter.name);
    EXPECT_NE(text.find(name), std::string::npos) << name;
  }
  for (const net::GaugeName& gauge : net::GaugeNames()) {
    const std::string name = fmt::format("`{}{}` (a gauge)", kWirePrefix, gauge.name);
    EXPECT_NE(text.find(name), std::string::npos) << name;
  }
}

TEST(Docs, ErrorsListsEveryCodeAsTheTableHasIt) {
  const std::string text = ReadDocument("ERRORS.md");
  for (int i = 0; i < kErrorCodeCount; ++i) {
    const ErrorInfo& info = InfoOf(static_cast<ErrorCode>(i));
    std::string row = fmt::format("| {} | {} | ", info.name, absl::StatusCodeToString(info.grpc));
    size_t at = text.find(row);
    ASSERT_NE(at, std::string::npos) << row;
    EXPECT_NE(text.substr(at, text.find('\n', at) - at).find(info.next), std::string::npos)
        << info.name;
  }
}

TEST(Docs, TheProtoHasTheSameErrorCodes) {
  for (int i = 0; i < kErrorCodeCount; ++i) {
    std::string name(InfoOf(static_cast<ErrorCode>(i)).name);
    EXPECT_EQ(v1::ErrorCode_Name(i), "ERROR_CODE_" + name);
  }
  EXPECT_FALSE(v1::ErrorCode_IsValid(kErrorCodeCount));
}

}  // namespace
}  // namespace engram::server
