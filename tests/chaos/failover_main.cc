// tools/bench failover: see there.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "chaos/chaos_nodes.h"
#include "chaos/prober.h"
#include "chaos/report.h"
#include "engram/client/client.h"

namespace engram::testing {
namespace {

constexpr std::chrono::seconds kGiveUp{25};        // nobody takes over any more
constexpr std::chrono::seconds kAfterwards{2};     // of each fault, for what comes late
constexpr std::chrono::milliseconds kBefore{500};  // so that there is an answer to count from

struct Case {
  const char* name;
  FaultKind kind;
  bool moves;  // the space to another primary; otherwise the fault ends after `hold`
  Duration hold;
  const char* target;
};
constexpr Case kCases[] = {
    {"kill -9", FaultKind::kKill, true, {}, "p50 <= 3 s, p99 <= 8 s"},
    {"SIGSTOP", FaultKind::kPause, true, {}, "p50 <= 6 s, p99 <= 12 s"},
    {"black hole", FaultKind::kSplit, true, {}, "p50 <= 6 s, p99 <= 12 s"},
    {"SIGSTOP of 2 s", FaultKind::kPause, false, std::chrono::seconds(2), "moves nothing"},
};

struct Figures {
  std::vector<Duration> writes;
  std::vector<Duration> reads;
  int moved = 0;
};

class Bench {
 public:
  explicit Bench(ChaosNodes& nodes)
      : nodes_(nodes), asker_(nodes.Addresses()), space_(nodes.cluster().SpaceOn(0, "failover")) {
    AwaitTakenByAll(Prober::kRead);
    writer_ = std::make_unique<Prober>(OperationKind::kStore, space_, asker_);
    reader_ = std::make_unique<Prober>(OperationKind::kGet, space_, asker_);
  }

  void Measure(const Case& one, Figures& figures) {
    const int victim = Primary(0);
    writer_->LeaveOut(victim);
    reader_->LeaveOut(victim);
    const TimePoint from = net::EventLoop::Now();
    std::this_thread::sleep_for(kBefore);
    const Fault fault{one.kind, {victim}, {}};
    const TimePoint begun = net::EventLoop::Now();
    nodes_.Begin(fault);
    if (one.moves) {
      Eventually([&] { return writer_->HasWorkedSince(begun + kBefore); }, kGiveUp);
    } else {
      std::this_thread::sleep_for(one.hold);
      EXPECT_TRUE(nodes_.End(fault).ok());
    }
    std::this_thread::sleep_for(kAfterwards);
    figures.moved += Primary((victim + 1) % nodes_.cluster().size()) == victim ? 0 : 1;
    figures.writes.push_back(writer_->LongestGapSince(from));
    figures.reads.push_back(reader_->LongestGapSince(from));
    if (one.moves) {
      EXPECT_TRUE(nodes_.End(fault).ok());
    }
    Recover();
  }

 private:
  // The next run finds every holder as it should be.
  void Recover() {
    EXPECT_TRUE(nodes_.AwaitConnected());
    writer_->LeaveOut(-1);
    reader_->LeaveOut(-1);
    AwaitTakenByAll("mark");
  }

  void AwaitTakenByAll(const std::string& id) {
    Operation op;
    op.kind = OperationKind::kStore;
    op.ack = AckLevel::kAll;
    op.space = space_;
    op.id = MemoryId(id);
    EXPECT_TRUE(Eventually([&] {
      op.request = client::NewRequestId().ToString();
      op.revisions = {{"v" + op.request, {}}};
      return asker_.Ask(op, {.timeout = std::chrono::seconds(5)}).outcome == Outcome::kOk;
    })) << "not all holders take writes";
  }

  // As node `at` knows it.
  int Primary(int at) {
    v1::ResolveRouteRequest question;
    question.set_space(space_.value());
    const auto route = nodes_.cluster().Client({at})->ResolveRoute(question);
    EXPECT_TRUE(route.ok()) << route.status();
    return route.ok() ? nodes_.cluster().IndexOf(route->message.primary().id()) : 0;
  }

  ChaosNodes& nodes_;
  Asker asker_;
  const SpaceId space_;
  std::unique_ptr<Prober> writer_;
  std::unique_ptr<Prober> reader_;
};

std::string Column(std::vector<Duration> gaps) {
  std::sort(gaps.begin(), gaps.end());
  const auto seconds = [&](double share) {
    return std::chrono::duration<double>(Percentile(gaps, share)).count();
  };
  return fmt::format("{:.2f} s | {:.2f} s | {:.2f} s", seconds(0.5), seconds(0.99), seconds(1));
}

void Print(const Case& one, const Figures& figures) {
  fmt::print("| {} | {} | {} | {} | {} | {} |\n", one.name, figures.writes.size(), figures.moved,
             Column(figures.writes), Column(figures.reads), one.target);
  std::cout.flush();
}

int RunBench(int runs, int nodes, const std::string& only) {
  absl::Status status = EnterOwnMounts();
  if (status.ok()) {
    auto made = ChaosNodes::Create({.nodes = nodes, .flags = {}});
    status = made.status();
    if (made.ok()) {
      Bench bench(**made);
      fmt::print(
          "| fault of the primary | runs | moved | writes: gap p50 | p99 | max | reads: gap p50 | "
          "p99 | max | target of writes |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | "
          "--- |\n");
      for (const Case& one : kCases) {
        if (std::string(one.name).find(only) == std::string::npos) continue;
        Figures figures;
        for (int run = 0; run < runs; ++run) bench.Measure(one, figures);
        Print(one, figures);
      }
    }
  }
  if (!status.ok()) std::cerr << "failover bench: " << status.message() << "\n";
  const bool harness_failed = ::testing::UnitTest::GetInstance()->ad_hoc_test_result().Failed();
  return status.ok() && !harness_failed ? 0 : 1;
}

}  // namespace
}  // namespace engram::testing

int main(int argc, char** argv) {
  int runs = 30;
  int nodes = 5;
  std::string only;
  CLI::App app{"For how long a space takes no writes, and no reads, when its primary fails."};
  app.add_option("--runs", runs, "of each fault")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--nodes", nodes, "in the cluster")
      ->check(CLI::Range(3, 9))
      ->capture_default_str();
  app.add_option("--only", only, "faults with this in their name");
  CLI11_PARSE(app, argc, argv);
  testing::InitGoogleTest();
  return engram::testing::RunBench(runs, nodes, only);
}
