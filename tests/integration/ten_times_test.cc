// SPEC R14 with a real node: asked for ten times what it can do, it does what it can, turns the
// rest away at once with the time to come again, takes no more memory than its bounds allow, and is
// as before afterwards. `tools/bench overload` runs it for longer and at more rates, for the
// figures.
//
// ENGRAM_OVERLOAD_SECONDS=N asks for so long at each rate.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "engram/net/testing/resident_memory.h"
#include "support/cluster.h"
#include "support/crowd.h"
#include "support/flood.h"
#include "support/requests.h"
#include "support/scrape.h"

namespace engram::testing {
namespace {

using ::testing::IsEmpty;

constexpr char kSpace[] = "busy";
constexpr int kMemories = 10'000;
// In every memory.
constexpr char kWords[] =
    "tea cup pot leaf milk water sugar spoon kettle steam lemon honey saucer biscuit table guest";
constexpr int kQueueMax = 100;
// Some hundred requests of 8 KB and what the allocator keeps; all that it is asked at ten times
// its peak would be more within a second.
constexpr double kGrowthMost = 32e6;

std::vector<double> Multiples() {
  if (std::getenv("ENGRAM_OVERLOAD_SECONDS") == nullptr) return {10};
  return {1, 2, 5, 10};
}

std::chrono::seconds Length() {
  const char* text = std::getenv("ENGRAM_OVERLOAD_SECONDS");
  return std::chrono::seconds(text == nullptr ? 2 : std::max(1, std::atoi(text)));
}

// Large, so that requests that pile up would show in the node's memory. No memory has an embedding.
std::string Question() {
  v1::RecallRequest request = MakeRecall(kSpace, kWords);
  for (int i = 0; i < 2'000; ++i) request.add_embedding(1);
  return request.SerializeAsString();
}

// In one second.
struct Rate {
  double answers = 0;  // right ones
  double cpu = 0;      // seconds of processor time that the node took
};

struct Row {
  double multiple = 0;
  FloodResult result;
  Rate goodput;
};

class TenTimes : public ::testing::Test {
 protected:
  TenTimes() {
    std::vector<v1::StoreRequest> batch;
    auto client = cluster_.Client({0});
    for (int i = 0; i < kMemories; ++i) {
      batch.push_back(MakeStore(kSpace, fmt::format("m{}", i), fmt::format("{} {}", kWords, i)));
      if (batch.size() < 500) continue;
      EXPECT_TRUE(client->StoreAll(batch).ok());
      batch.clear();
    }
    EXPECT_TRUE(client->Recall(MakeRecall(kSpace, kWords)).ok());
  }

  static TestClusterOptions OneSmallNode() {
    TestClusterOptions options;
    options.nodes = 1;
    options.flags = {"--loops",      "1",  "--workers",   "1",
                     "--writes-max", "16", "--queue-max", std::to_string(kQueueMax)};
    return options;
  }

  // Asked by as many clients as keep it busy and none of whom is shed.
  Rate Peak() {
    CrowdOptions options;
    options.clients = 8;
    options.method = "Recall";
    options.request = [](uint64_t) { return Question(); };
    options.pause = Duration::zero();
    const double cpu = CpuSeconds();
    const auto start = std::chrono::steady_clock::now();
    Crowd crowd(cluster_.Address(0), options);
    Eventually([&] { return std::chrono::steady_clock::now() - start >= Length(); });
    const uint64_t answered = crowd.answered();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    crowd.Stop();
    EXPECT_EQ(crowd.Answers().size(), 1u) << "something was not served";
    return {static_cast<double>(answered) / took.count(), (CpuSeconds() - cpu) / took.count()};
  }

  Row AskAt(double multiple, const Rate& peak) {
    FloodOptions options;
    options.method = "Recall";
    options.request = Question();
    options.right = [](const std::string& reply) {
      v1::RecallResponse response;
      return response.ParseFromString(reply) && response.results_size() == 10;
    };
    options.rate = multiple * peak.answers;
    options.length = Length();
    const double cpu = CpuSeconds();
    const Flood flood(cluster_.Address(0), options);
    EXPECT_TRUE(Eventually([&] {
      Look();
      return flood.Ended();
    })) << "requests hang";
    const FloodResult result = flood.result();
    const std::chrono::duration<double> length = options.length;
    return {multiple, result,
            Rate{static_cast<double>(result.right_in_time) / length.count(),
                 (CpuSeconds() - cpu) / length.count()}};
  }

  // What the node takes while it is asked.
  void Look() {
    const std::string scraped = Scrape(cluster_, 0);
    bytes_most_ = std::max(bytes_most_, ValueOf(scraped, "process_resident_memory_bytes"));
    waiting_most_ = std::max(waiting_most_, Waiting(scraped));
  }
  double CpuSeconds() const { return ValueOf(Scrape(cluster_, 0), "process_cpu_seconds_total"); }
  static double Waiting(const std::string& scraped) {
    return ValueOf(scraped, R"(engram_admission_waiting{operations="recalls"})");
  }

  TestCluster cluster_{OneSmallNode()};
  double bytes_most_ = 0;
  double waiting_most_ = 0;
};

double Quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1))];
}

void PrintPeak(const char* when, const Rate& peak) {
  fmt::print("| {} | | | {:.0f}/s | | {:.2f} s | {:.0f} | | |\n", when, peak.answers, peak.cpu,
             peak.answers / peak.cpu);
}

// The peak is what it did before or afterwards, whichever was more: neighbours come and go.
void Print(const std::vector<Row>& rows, const Rate& before, const Rate& after) {
  fmt::print(
      "| load | asked | shed | goodput | of the peak | CPU a second | answers per CPU second | p50 "
      "| "
      "p99 |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  PrintPeak("peak before", before);
  for (const Row& row : rows) {
    const Rate& goodput = row.goodput;
    fmt::print(
        "| {} x | {} | {} | {:.0f}/s | {:.0f} % | {:.2f} s | {:.0f} | {:.0f} ms | {:.0f} ms |\n",
        row.multiple, row.result.asked, row.result.shed, goodput.answers,
        100 * goodput.answers / std::max(before.answers, after.answers), goodput.cpu,
        goodput.answers / goodput.cpu, Quantile(row.result.right_ms, 0.5),
        Quantile(row.result.right_ms, 0.99));
  }
  PrintPeak("peak afterwards", after);
}

TEST_F(TenTimes, AnswersWhatItCanAndTurnsTheRestAwayAtOnce) {
  const Rate before = Peak();
  Look();
  const double bytes_before = bytes_most_;
  std::vector<Row> rows;
  for (double multiple : Multiples()) {
    const FloodResult& result = rows.emplace_back(AskAt(multiple, before)).result;
    EXPECT_EQ(result.right + result.shed, result.asked);
    EXPECT_EQ(result.wrong, 0u);
    EXPECT_THAT(result.failures, IsEmpty());
    EXPECT_GT(result.right, 0u);
    if (multiple == 10) {
      EXPECT_GT(result.shed, 0u) << "it was not too much";
    }
  }
  EXPECT_LE(waiting_most_, kQueueMax);
  if (net::testing::kResidentMemoryIsOurs) {
    EXPECT_LE(bytes_most_ - bytes_before, kGrowthMost);
  }
  const std::string scraped = Scrape(cluster_, 0);
  EXPECT_EQ(Waiting(scraped), 0);
  EXPECT_GT(ValueOf(scraped, "engram_overload_sheds_total"), 0);
  const Rate after = Peak();
  Print(rows, before, after);
  fmt::print("resident memory: {:.1f} MB, at most {:.1f} MB while asked for too much\n",
             bytes_before / 1e6, bytes_most_ / 1e6);
}

}  // namespace
}  // namespace engram::testing
