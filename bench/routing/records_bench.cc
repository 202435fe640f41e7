// What gossip of assignments costs at a node: keeping the table's digest, and comparing two tables.
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "engram/cluster/testing/gossiped_table.h"
#include "report.h"
#include "workload.h"

namespace engram::bench {
namespace {

using Clock = std::chrono::steady_clock;

template <class Step>
double Microseconds(Step step) {
  const auto start = Clock::now();
  step();
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

template <class Step>
double MedianUs(int times, Step step) {
  std::vector<double> us;
  for (int i = 0; i < times; ++i) us.push_back(Microseconds(step));
  return Median(std::move(us));
}

void Row(const std::string& what, const std::string& figure) {
  fmt::print("| {} | {} |\n", what, figure);
  std::fflush(stdout);
}

// In turn, so that both meet every mood of the machine.
void BenchChanges(const Workload& workload, routing::RoutingTable& plain,
                  routing::RoutingTable& digested) {
  DiffSource diffs(workload);
  std::vector<double> without;
  std::vector<double> with;
  for (int i = 0; i < 200; ++i) {
    const Diff diff = diffs.Next(100);
    without.push_back(Microseconds([&] { plain.Apply(diff.named); }) / 100);
    with.push_back(Microseconds([&] { digested.Apply(diff.named); }) / 100);
  }
  Row("a change, in diffs of 100: without a digest, with one",
      fmt::format("{:.2f} us, {:.2f} us", Median(without), Median(with)));
}

void BenchVisits(const cluster::AssignmentRecords& records) {
  Row("a copy of the digest",
      fmt::format("{:.2f} us", MedianUs(1'000, [&] { (void)records.VersionsDigest(); })));
  for (size_t count : {1, 32, 1'024}) {
    cluster::AssignmentRecords::Buckets buckets;
    for (size_t b = 0; b < count; ++b) buckets.set(b * VersionDigest::kBuckets / count);
    size_t visited = 0;
    const auto visit = [&](std::string_view, const Version&) { ++visited; };
    const double us = MedianUs(11, [&] { records.VisitVersions(buckets, visit); });
    Row(fmt::format("a visit of {} buckets, {} spaces", count, visited / 11),
        fmt::format("{:.2f} ms", us / 1e3));
  }
}

// Look-ups by one thread, without and with another that visits all the time.
void BenchLookups(const Workload& workload, const cluster::GossipedTable& node, double seconds) {
  const auto p50 = [&] {
    std::vector<double> ns;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    for (size_t at = 0; Clock::now() < end;) {
      ns.push_back(Microseconds([&] {
                     for (size_t i = 0; i < 1'024; ++i, ++at) {
                       const std::string& name = workload.queries()[at % workload.size()];
                       if (!node.table.Find(name).has_value()) std::abort();
                     }
                   }) *
                   1e3 / 1'024);
    }
    return Median(std::move(ns));
  };
  const double alone = p50();
  std::atomic<bool> stop = false;
  std::thread gossip([&] {
    cluster::AssignmentRecords::Buckets one;
    one.set(7);
    while (!stop) node.records.VisitVersions(one, [](std::string_view, const Version&) {});
  });
  const double beside = p50();
  stop = true;
  gossip.join();
  Row("a look-up: alone, beside a thread that visits all the time",
      fmt::format("{:.1f} ns, {:.1f} ns", alone, beside));
}

// One comparison after the other, until there is no more.
void BenchComparison(const std::string& what, cluster::GossipedTable& asks,
                     cluster::GossipedTable& answers) {
  size_t rounds = 0;
  size_t bytes = 0;
  double total = 0;
  double longest = 0;
  const auto step = [&](auto make) {
    std::string message;
    const double us = Microseconds([&] { message = make(); });
    bytes += message.size();
    total += us;
    longest = std::max(longest, us);
    return message;
  };
  for (bool more = true; more; ++rounds) {
    const std::string digest = step([&] { return asks.gossip.Digest(); });
    const std::string versions = step([&] { return answers.gossip.Compare(digest).value(); });
    more = false;
    const std::string settlement = step([&] {
      auto settled = asks.gossip.Settle(versions).value();
      more = settled.more;
      return settled.message;
    });
    const std::string records = step([&] { return answers.gossip.Complete(settlement).value(); });
    step([&] {
      if (!asks.gossip.Take(records).ok()) std::abort();
      return std::string();
    });
    asks.gossip.TakeLearnt();
    answers.gossip.TakeLearnt();
  }
  Row(what, fmt::format("{} rounds, {:.2f} MB, {:.0f} ms of both nodes, longest step {:.1f} ms",
                        rounds, static_cast<double>(bytes) / 1e6, total / 1e3, longest / 1e3));
}

void BenchSize(const BenchOptions& options, size_t spaces) {
  Workload workload(spaces);
  std::vector<placement::Assignment> all;
  for (size_t s = 0; s < spaces; ++s) all.push_back(workload.AssignmentOf(s, 0));
  routing::RoutingTable plain(workload.nodes());
  cluster::GossipedTable node;
  cluster::GossipedTable other;
  cluster::GossipedTable joining;
  plain.Apply(all);
  node.table.Apply(all);
  other.table.Apply(all);
  fmt::print("\n### Gossip of {} assignments\n| what | |\n| --- | --- |\n", spaces);
  BenchVisits(node.records);
  BenchLookups(workload, node, options.seconds);
  BenchComparison("a comparison of equal tables", node, other);
  uint64_t changes = 1;
  for (size_t differing : {1, 100, 10'000}) {
    ++changes;
    for (size_t i = 0; i < differing; ++i) {
      const auto changed = workload.AssignmentOf(i * (spaces / differing), changes);
      other.table.Apply(std::span(&changed, 1));
    }
    BenchComparison(fmt::format("a comparison of tables that differ in {}", differing), node,
                    other);
  }
  BenchComparison("a joining node gets everything", joining, node);
  BenchChanges(workload, plain, node.table);
}

}  // namespace

void BenchRecords(const BenchOptions& options) {
  for (size_t spaces : options.sizes) BenchSize(options, spaces);
}

}  // namespace engram::bench
