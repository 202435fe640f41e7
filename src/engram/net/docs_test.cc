// docs/WIRE.md must say what the code says.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>

#include "engram/net/counters.h"
#include "engram/net/server.h"

namespace engram::net {
namespace {

struct Row {
  std::string value;
  std::string counter;
};

// The table of bounds, by option.
std::map<std::string, Row> BoundsInDocs() {
  std::ifstream in(ENGRAM_SOURCE_DIR "/docs/WIRE.md");
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const std::regex row(R"(\| `(\w+)` \| ([^|]+) \|[^|]+\| `(\w+)`)");
  std::map<std::string, Row> rows;
  for (auto it = std::sregex_iterator(text.begin(), text.end(), row); it != std::sregex_iterator();
       ++it) {
    rows[(*it)[1]] = {(*it)[2], (*it)[3]};
  }
  return rows;
}

std::string Bytes(size_t bytes) {
  if (bytes % (1u << 30) == 0) return fmt::format("{} GiB", bytes >> 30);
  if (bytes % (1u << 20) == 0) return fmt::format("{} MiB", bytes >> 20);
  return fmt::format("{} KiB", bytes >> 10);
}

std::string Count(size_t count) {
  if (count < 1000) return fmt::format("{}", count);
  return fmt::format("{},{:03}", count / 1000, count % 1000);
}

std::string Time(Duration d) {
  if (d == Duration::max()) return "none";
  if (d % std::chrono::minutes(1) == Duration::zero() && d > std::chrono::minutes(1)) {
    return fmt::format("{} min", d / std::chrono::minutes(1));
  }
  return fmt::format("{} s", d / std::chrono::seconds(1));
}

TEST(WireDocs, BoundsHaveTheDefaultsOfTheCode) {
  const ServerOptions o;
  const std::map<std::string, std::string> expected = {
      {"message_bytes_max", Bytes(o.message_bytes_max)},
      {"header_bytes_max", Bytes(o.header_bytes_max)},
      {"metadata_bytes_max", Bytes(o.metadata_bytes_max)},
      {"concurrent_streams_max", Count(o.concurrent_streams_max)},
      {"connections_max", Count(o.connections_max)},
      {"connections_per_address_max", Count(o.connections_per_address_max)},
      {"stream_queue_bytes_max", Bytes(o.stream_queue_bytes_max)},
      {"bytes_held_max", Bytes(o.bytes_held_max)},
      {"unary_limit", Time(o.unary_limit)},
      {"preface_timeout", Time(o.preface_timeout)},
      {"first_request_timeout", Time(o.first_request_timeout)},
      {"connection_idle_max", Time(o.connection_idle_max)},
      {"connection_age_max", Time(o.connection_age_max)},
      {"connection_age_grace", Time(o.connection_age_grace)},
      {"keepalive_interval", Time(o.keepalive_interval)},
      {"keepalive_timeout", Time(o.keepalive_timeout)},
      {"resets_max", Count(o.resets_max)},
      {"control_frames_max", Count(o.control_frames_max)},
  };
  std::map<std::string, std::string> documented;
  for (const auto& [option, row] : BoundsInDocs()) documented[option] = row.value;
  EXPECT_EQ(documented, expected);
}

TEST(WireDocs, EachBoundHasACounterThatExists) {
  std::set<std::string> names;
  for (const CounterName& counter : CounterNames()) names.emplace(counter.name);
  for (const GaugeName& gauge : GaugeNames()) names.emplace(gauge.name);
  for (const auto& [option, row] : BoundsInDocs()) {
    EXPECT_TRUE(names.contains(row.counter)) << option << ": " << row.counter;
  }
}

}  // namespace
}  // namespace engram::net
