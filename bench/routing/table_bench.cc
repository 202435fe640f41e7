// The routing table and its competitors: look-ups by one and two threads, alone and while diffs
// arrive, what a diff costs, and resident memory.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <functional>
#include <thread>

#include "report.h"
#include "tables.h"
#ifdef ENGRAM_BENCH_URCU
#include "urcu_tables.h"
#endif

namespace engram::bench {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What one reader saw: nanoseconds per look-up, one figure per 1,024 of them. Every space is known,
// so a miss is a fault of the table.
template <class Table>
std::vector<double> ReadUntil(const std::atomic<bool>& stop, const Table& table,
                              const std::vector<std::string>& queries, size_t at) {
  constexpr size_t kBatch = 1'024;
  std::vector<double> ns;
  ns.reserve(1 << 20);
  Table::Enter();
  while (!stop.load(std::memory_order_relaxed)) {
    uint64_t found = 0;
    const auto start = Clock::now();
    for (size_t i = 0; i < kBatch; ++i) {
      std::optional<Route> route = table.Find(queries[at]);
      found += route.has_value() && route->replica_count == Workload::kCopies - 1 ? 1 : 0;
      if (++at == queries.size()) at = 0;
    }
    ns.push_back(SecondsSince(start) * 1e9 / kBatch);
    if (found != kBatch) std::abort();
    Table::Pause();
  }
  Table::Leave();
  return ns;
}

// 1,000 changes a second in diffs of 10, 100 and 1,000; microseconds per change of each diff.
template <class Table>
std::vector<double> WriteUntil(const std::atomic<bool>& stop, Table& table, DiffSource& diffs) {
  static constexpr std::array<size_t, 4> kSizes = {10, 100, 10, 1'000};
  std::vector<double> us;
  Table::Enter();
  auto due = Clock::now();
  for (size_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
    const size_t size = kSizes[i % kSizes.size()];
    const Diff diff = diffs.Next(size);
    const auto start = Clock::now();
    table.Apply(diff);
    us.push_back(SecondsSince(start) * 1e6 / static_cast<double>(size));
    Table::Pause();
    due += std::chrono::milliseconds(size);
    while (Clock::now() < due && !stop.load(std::memory_order_relaxed)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  Table::Leave();
  return us;
}

struct Measured {
  double lookup_ns = 0;
  double change_us = 0;
};

template <class Table>
Measured Measure(Table& table, const Workload& workload, DiffSource* diffs, size_t readers,
                 double seconds) {
  std::atomic<bool> stop = false;
  std::vector<std::vector<double>> ns(readers);
  std::vector<double> us;
  std::vector<std::thread> threads;
  for (size_t r = 0; r < readers; ++r) {
    threads.emplace_back([&, r] {
      ns[r] = ReadUntil(stop, table, workload.queries(), r * workload.size() / readers);
    });
  }
  if (diffs != nullptr) threads.emplace_back([&] { us = WriteUntil(stop, table, *diffs); });
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  std::vector<double> all;
  for (const auto& of_one : ns) all.insert(all.end(), of_one.begin(), of_one.end());
  return {Median(std::move(all)), Median(std::move(us))};
}

// Milliseconds of diffs of 1,000 changes, with no reader.
template <class Table>
std::vector<double> LargeDiffs(Table& table, DiffSource& diffs) {
  std::vector<double> ms;
  Table::Enter();
  for (int i = 0; i < 30; ++i) {
    const Diff diff = diffs.Next(1'000);
    const auto start = Clock::now();
    table.Apply(diff);
    ms.push_back(SecondsSince(start) * 1e3);
    Table::Pause();
  }
  Table::Leave();
  return ms;
}

// Of one table at one size, over all rounds.
struct Rows {
  std::string name;
  std::vector<double> one, two, one_written, two_written, change_us, diff_ms, diff_ms_max;
  double bytes = 0;  // resident, per space
};

template <class Table>
void RunRound(Workload& workload, const Diff& everything, double seconds, bool writes, Rows& rows) {
  Table table(workload);
  Table::Enter();
  table.Apply(everything);
  Table::Leave();
  rows.one.push_back(Measure(table, workload, nullptr, 1, seconds).lookup_ns);
  rows.two.push_back(Measure(table, workload, nullptr, 2, seconds).lookup_ns);
  if (!writes) return;
  DiffSource diffs(workload);
  rows.one_written.push_back(Measure(table, workload, &diffs, 1, seconds * 3).lookup_ns);
  const Measured both = Measure(table, workload, &diffs, 2, seconds * 3);
  rows.two_written.push_back(both.lookup_ns);
  rows.change_us.push_back(both.change_us);
  const std::vector<double> ms = LargeDiffs(table, diffs);
  rows.diff_ms.push_back(Median(ms));
  rows.diff_ms_max.push_back(Quantile(ms, 1));
}

size_t ResidentBytes() {
  malloc_trim(0);
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  size_t total = 0;
  size_t resident = 0;
  const int read = file == nullptr ? 0 : std::fscanf(file, "%zu %zu", &total, &resident);
  if (file != nullptr) std::fclose(file);
  return read == 2 ? resident * static_cast<size_t>(sysconf(_SC_PAGESIZE)) : 0;
}

// What `build` adds to the resident memory, found in a process of its own.
double GrowthInChild(const std::function<void()>& build_and_report, int report) {
  const pid_t child = fork();
  if (child == 0) {
    build_and_report();
    _exit(0);
  }
  double grown = 0;
  if (read(report, &grown, sizeof(grown)) != static_cast<ssize_t>(sizeof(grown))) grown = -1;
  waitpid(child, nullptr, 0);
  return grown;
}

template <class Table>
double BytesPerSpace(Workload& workload, const Diff& everything, size_t changes) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  const double grown = GrowthInChild(
      [&] {
        const size_t before = ResidentBytes();
        Table table(workload);
        Table::Enter();
        table.Apply(everything);
        DiffSource diffs(workload);
        for (size_t done = 0; done < changes; done += 1'000) table.Apply(diffs.Next(1'000));
        const auto more = static_cast<double>(ResidentBytes() - before);
        if (write(ends[1], &more, sizeof(more)) < 0) _exit(1);
        _exit(0);  // with the table as it is
      },
      ends[0]);
  close(ends[0]);
  close(ends[1]);
  return grown / static_cast<double>(workload.size());
}

struct Competitor {
  std::function<void(Workload&, const Diff&, double seconds, Rows&)> run;
  std::function<double(Workload&, const Diff&)> bytes;
  Rows rows;
};

template <class Table>
Competitor Make(bool writes = true) {
  Competitor competitor;
  competitor.run = [writes](Workload& workload, const Diff& everything, double seconds,
                            Rows& rows) {
    RunRound<Table>(workload, everything, seconds, writes, rows);
  };
  competitor.bytes = [](Workload& workload, const Diff& everything) {
    return BytesPerSpace<Table>(workload, everything, 0);
  };
  competitor.rows.name = Table::Name();
  return competitor;
}

std::vector<Competitor> Competitors() {
  std::vector<Competitor> all;
  all.push_back(Make<EngramTable>());
  all.push_back(Make<FloorXxh>(false));
  all.push_back(Make<FloorAbsl>(false));
  all.push_back(Make<SnapshotShards<1>>());
  all.push_back(Make<SnapshotShards<256>>());
  all.push_back(Make<SnapshotShards<1'024>>());
  all.push_back(Make<SnapshotShards<4'096>>());
  all.push_back(Make<SeqlockSlots>());
  all.push_back(Make<LockedShards>());
#ifdef ENGRAM_BENCH_TBB
  all.push_back(Make<TbbMap>());
#endif
#ifdef ENGRAM_BENCH_URCU
  all.push_back(Make<UrcuTable<UrcuQsbr>>());
  all.push_back(Make<UrcuTable<UrcuMemb>>());
#endif
  return all;
}

std::string Cell(const std::vector<double>& values, const char* format) {
  return values.empty() ? "-" : fmt::format(fmt::runtime(format), Median(values));
}

void Print(size_t spaces, const std::vector<Competitor>& all) {
  fmt::print(
      "\n### Look-up among {} spaces, ns (p50), and what changes cost\n"
      "| table | 1 reader | 2 readers | 1 reader, writer | 2 readers, writer | us per change, 2 "
      "readers | diff of 1,000, ms: p50 / max | bytes per space |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- |\n",
      spaces);
  for (const Competitor& c : all) {
    const Rows& r = c.rows;
    fmt::print("| {} | {} | {} | {} | {} | {} | {} / {} | {:.0f} |\n", r.name,
               Cell(r.one, "{:.1f}"), Cell(r.two, "{:.1f}"), Cell(r.one_written, "{:.1f}"),
               Cell(r.two_written, "{:.1f}"), Cell(r.change_us, "{:.2f}"),
               Cell(r.diff_ms, "{:.2f}"), Cell(r.diff_ms_max, "{:.2f}"), r.bytes);
  }
  std::fflush(stdout);
}

// Rounds, so that every competitor meets every mood of the machine; the floor is the faster of the
// two hashes, and a ratio is taken within a round.
void AddLookupGoals(const std::vector<Competitor>& all, Goals& goals) {
  const Rows& ours = all[0].rows;
  auto ratios = [&](const std::vector<double>& mine, std::vector<double> Rows::*floor) {
    std::vector<double> values;
    for (size_t round = 0; round < mine.size(); ++round) {
      values.push_back(mine[round] /
                       std::min((all[1].rows.*floor)[round], (all[2].rows.*floor)[round]));
    }
    return Median(values);
  };
  auto add = [&](const char* what, const std::vector<double>& mine,
                 std::vector<double> Rows::*floor) {
    const double ns = Median(mine);
    const double ratio = ratios(mine, floor);
    goals.push_back({fmt::format("look-up among 100,000 spaces, writer, {}", what),
                     fmt::format("{:.1f} ns, {:.2f}x the floor", ns, ratio),
                     "20 ns, 1.6x the floor", ns <= 20 && ratio <= 1.6});
  };
  add("1 reader", ours.one_written, &Rows::one);
  add("2 readers", ours.two_written, &Rows::two);
}

void AddSizeGoals(const Rows& ours, double changed_bytes, size_t spaces, Goals& goals) {
  auto megabytes = [&](double bytes) { return bytes * static_cast<double>(spaces) / 1e6; };
  goals.push_back(
      {"1,000,000 spaces, 3 copies, reverse index included; after 1,000,000 changes",
       fmt::format("{:.0f} MB; {:.0f} MB", megabytes(ours.bytes), megabytes(changed_bytes)),
       "128 MB", megabytes(std::max(ours.bytes, changed_bytes)) <= 128});
  goals.push_back({"diff of 1,000 changes at 1,000,000 spaces",
                   fmt::format("{:.2f} ms, at most {:.2f} ms", Median(ours.diff_ms),
                               Quantile(ours.diff_ms_max, 1)),
                   "5 ms", Median(ours.diff_ms) < 5});
}

// One thread that asks many small tables in turn, as the simulator does.
void ManyTables(double seconds) {
  constexpr size_t kTables = 200;
  constexpr size_t kSpaces = 500;
  Workload workload(kSpaces);
  Diff everything;
  for (size_t s = 0; s < kSpaces; ++s) everything.named.push_back(workload.AssignmentOf(s, 0));
  std::deque<routing::RoutingTable> tables;
  size_t bytes = 0;
  for (size_t t = 0; t < kTables; ++t) {
    tables.emplace_back(workload.nodes()).Apply(everything.named);
    bytes += tables.back().bytes();
  }
  std::vector<double> ns;
  const auto start = Clock::now();
  while (SecondsSince(start) < seconds) {
    const auto batch = Clock::now();
    for (const std::string& space : workload.queries()) {
      for (const routing::RoutingTable& table : tables) {
        if (!table.Find(space).has_value()) std::abort();
      }
    }
    ns.push_back(SecondsSince(batch) * 1e9 / (kTables * kSpaces));
  }
  fmt::print(
      "\n{} tables of {} spaces asked in turn by one thread: {:.1f} ns a look-up (p50); "
      "{:.0f} KB a table\n",
      kTables, kSpaces, Median(ns), static_cast<double>(bytes) / kTables / 1e3);
}

void BenchSize(const BenchOptions& options, size_t spaces, Goals& goals) {
  Workload workload(spaces);
  Diff everything;
  for (size_t s = 0; s < spaces; ++s) {
    everything.numbered.push_back({&workload.name(s), workload.RouteOf(s, 0)});
    everything.named.push_back(workload.AssignmentOf(s, 0));
  }
  std::vector<Competitor> all = Competitors();
  for (Competitor& c : all) c.rows.bytes = c.bytes(workload, everything);
  const double changed = BytesPerSpace<EngramTable>(workload, everything, spaces);
  for (int round = 0; round < options.rounds; ++round) {
    for (Competitor& c : all) c.run(workload, everything, options.seconds, c.rows);
  }
  Print(spaces, all);
  if (spaces == 100'000) AddLookupGoals(all, goals);
  if (spaces == 1'000'000) AddSizeGoals(all[0].rows, changed, spaces, goals);
}

}  // namespace

void BenchTables(const BenchOptions& options, Goals& goals) {
  for (size_t spaces : options.sizes) BenchSize(options, spaces, goals);
  ManyTables(options.seconds);
}

}  // namespace engram::bench
