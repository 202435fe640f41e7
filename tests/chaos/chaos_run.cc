#include "chaos/chaos_run.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <thread>
#include <utility>

#include "chaos/chaos_nodes.h"
#include "chaos/copies.h"
#include "chaos/load.h"
#include "chaos/report.h"
#include "engram/client/client.h"
#include "support/test_hooks.h"

namespace engram::testing {
namespace {

constexpr Duration kReadWithin = std::chrono::seconds(120);  // after the heal; longer than allowed
// A client on a busy machine takes note of an answer that much after it came.
constexpr Duration kNoteLate = std::chrono::seconds(1);

TimePoint Now() { return net::EventLoop::Now(); }

class ChaosRun {
 public:
  ChaosRun(const ChaosOptions& options, ChaosNodes& nodes)
      : options_(options),
        nodes_(nodes),
        asker_(nodes.Addresses()),
        hooks_(nodes.cluster()),
        file_(HistoryFile()),
        writer_(file_),
        record_(writer_) {
    run_.command = options.command;
    for (const int i : nodes.cluster().Indexes()) {
      spaces_.emplace_back(nodes.cluster().SpaceOn(i, "chaos"));
    }
  }

  int Run() {
    for (const SpaceId& space : spaces_) MakeSpace(space);
    run_.begin = Now();
    {
      Load load({.seed = options_.seed, .clients = options_.clients, .spaces = spaces_}, asker_,
                record_);
      for (const Trouble& trouble : Plan()) Make(trouble);
      run_.healed = Now();
    }
    CheckNodesRun();
    ReadFinalContent();
    if (!nodes_.AwaitConnected()) Mishap("the nodes do not find each other");
    CheckNodesRun();
    return Conclude();
  }

 private:
  std::filesystem::path HistoryFile() const { return options_.out / "history.txt"; }

  std::vector<Trouble> Plan() const {
    std::mt19937_64 random(options_.seed);
    return MakePlan({.nodes = options_.nodes, .length = options_.length, .kinds = options_.kinds},
                    random);
  }

  void MakeSpace(const SpaceId& space) {
    Operation op;
    op.kind = OperationKind::kStore;
    op.client = "c";
    op.request = client::NewRequestId().ToString();
    op.space = space;
    op.id = MemoryId("m0");
    op.revisions = {{"v" + op.request, {}}};
    EXPECT_TRUE(Eventually([&] {
      const Operation told = asker_.Ask(op, {.timeout = std::chrono::seconds(5)});
      record_.Add(told);
      return told.outcome == Outcome::kOk;
    })) << space.view()
        << " cannot be made";
  }

  // All faults of the trouble at once; each ends when its time is over.
  void Make(const Trouble& trouble) {
    std::vector<Injected> faults;
    for (const Fault& fault : trouble.faults) {
      Injected injected{fault.kind, {}, Now(), {}};
      for (const int node : fault.victims)
        injected.victims.emplace_back(nodes_.cluster().Name(node));
      Say(fault);
      nodes_.Begin(fault);
      if (fault.kind == FaultKind::kLostDisk) {
        writer_.Write(LostDisk{.node = injected.victims.front()});
      }
      faults.push_back(std::move(injected));
    }
    EndAll(trouble, faults);
    run_.faults.insert(run_.faults.end(), faults.begin(), faults.end());
    std::this_thread::sleep_for(trouble.peace);
    CheckNodesRun();
  }

  void EndAll(const Trouble& trouble, std::vector<Injected>& faults) {
    std::vector<std::pair<TimePoint, size_t>> ends;
    for (size_t i = 0; i < faults.size(); ++i) {
      ends.emplace_back(faults[i].begin + trouble.faults[i].hold, i);
    }
    std::sort(ends.begin(), ends.end());
    for (const auto& [time, i] : ends) {
      std::this_thread::sleep_until(time);
      const absl::Status status = nodes_.End(trouble.faults[i]);
      if (!status.ok()) Mishap(std::string(status.message()));
      faults[i].end = Now();
    }
  }

  void Say(const Fault& fault) const {
    std::string victims;
    for (const int node : fault.victims) victims += " " + nodes_.cluster().Name(node);
    fmt::print("{:7.1f} s  {}{}, {:.1f} s\n",
               std::chrono::duration<double>(Now() - run_.begin).count(), NameOf(fault.kind),
               victims, std::chrono::duration<double>(fault.hold).count());
    std::cout.flush();
  }

  void CheckNodesRun() {
    for (const int i : nodes_.cluster().Indexes()) {
      if (nodes_.cluster().node(i).Running()) continue;
      Mishap(nodes_.HowItEnded(i));
      nodes_.cluster().Start(i);
    }
  }

  // Waits until all copies are one, or nobody waits any more; what is there then counts.
  void ReadFinalContent() {
    absl::Status equal;
    for (TimePoint begun = Now(); begun - run_.healed <= kReadWithin; begun = Now()) {
      equal = CheckCopiesEqual(nodes_.cluster(), hooks_, spaces_);
      if (equal.ok()) {
        run_.equal_after = begun - run_.healed;
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    if (!equal.ok()) Mishap(std::string(equal.message()));
    const auto copies = ReadCopies(nodes_.cluster(), asker_, record_.ids());
    if (!copies.ok()) return Mishap(std::string(copies.status().message()));
    for (const Copy& copy : copies->copies) writer_.Write(copy);
    for (const Held& held : copies->held) writer_.Write(held);
  }

  void Mishap(std::string what) { run_.mishaps.push_back(std::move(what)); }

  History Read() const {
    std::ifstream in(HistoryFile());
    absl::StatusOr<History> history = ReadHistory(in);
    EXPECT_TRUE(history.ok()) << history.status();
    return history.ok() ? *std::move(history) : History();
  }

  int Conclude() {
    const absl::Status written = writer_.Finish();
    EXPECT_TRUE(written.ok()) << written;
    file_.close();
    const History history = Read();
    const Verdict verdict =
        Judge(history, {.copies = static_cast<size_t>(options_.copies), .late = kNoteLate});
    const std::string report = ReportOf(run_, history, verdict);
    std::ofstream(options_.out / "report.md") << report;
    std::cout << "\n" << report;
    return HasPassed(run_, verdict) ? 0 : 1;
  }

  const ChaosOptions& options_;
  ChaosNodes& nodes_;
  Asker asker_;
  TestHooks hooks_;
  std::ofstream file_;
  HistoryWriter writer_;
  Recorder record_;
  std::vector<SpaceId> spaces_;
  RunRecord run_;
};

void KeepLogs(const TestCluster& cluster, const std::filesystem::path& out) {
  for (const int i : cluster.Indexes()) {
    std::filesystem::copy_file(cluster.Log(i), out / cluster.Log(i).filename(),
                               std::filesystem::copy_options::overwrite_existing);
  }
}

absl::StatusOr<std::unique_ptr<ChaosNodes>> MakeNodes(const ChaosOptions& options) {
  if (absl::Status status = EnterOwnMounts(); !status.ok()) return status;
  ChaosNodes::Options nodes;
  nodes.nodes = options.nodes;
  nodes.copies = options.copies;
  nodes.flags = {"--test-hooks", "on"};
  return ChaosNodes::Create(std::move(nodes));
}

}  // namespace

std::map<std::string, FaultKind> FaultsByName() {
  std::map<std::string, FaultKind> names;
  for (const FaultKind kind : kFaultKinds) names.emplace(NameOf(kind), kind);
  return names;
}

int RunChaos(const ChaosOptions& options) {
  std::filesystem::create_directories(options.out);
  auto nodes = MakeNodes(options);
  if (!nodes.ok()) {
    std::cerr << "chaos: " << nodes.status().message() << "\n";
    return 1;
  }
  const int exit_code = ChaosRun(options, **nodes).Run();
  KeepLogs((*nodes)->cluster(), options.out);
  const bool harness_failed = ::testing::UnitTest::GetInstance()->ad_hoc_test_result().Failed();
  return harness_failed ? 1 : exit_code;
}

}  // namespace engram::testing
