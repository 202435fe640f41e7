// SPEC R8 and R9 with real processes: a primary dies, hangs, or is cut off by a network that drops
// its packets, and reads go on at the other holder. How long each took is printed; what decides is
// only who served it, and who was asked.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engram/base/error.h"
#include "support/cluster.h"
#include "support/private_network.h"
#include "support/requests.h"
#include "support/scrape.h"
#include "support/test_hooks.h"

namespace engram::testing {
namespace {

constexpr int kEntry = 0;
constexpr int kPrimary = 1;
constexpr int kReplica = 2;
constexpr char kSpace[] = "two-copies";
constexpr std::chrono::seconds kDeadline(10);

TestClusterOptions ThreeNodes() {
  TestClusterOptions options;
  options.flags = kTestHooksFlags;
  // Once open it stays open for the test, also on a machine that takes its time.
  options.flags.insert(options.flags.end(), {"--breaker-open", "600s"});
  return options;
}

struct Read {
  absl::Status status;
  std::string served_by;
  std::vector<v1::Attempt> route;
  std::chrono::duration<double, std::milli> took;
};

class TwoCopies {
 public:
  TwoCopies() {
    Copy(kReplica, 10);
    Copy(kPrimary, 11);
    const v1::Assignment both = MakeAssignment(cluster, kSpace, 12, kPrimary, {kReplica});
    for (int holder : {kPrimary, kReplica}) hooks_.Hold(holder, both);
    hooks_.InstallTable(kEntry, {both});
  }

  Read Get() {
    const auto start = std::chrono::steady_clock::now();
    auto answer = client_->Get(MakeGet(kSpace, "tea"), client::Explain::kYes);
    const auto took = std::chrono::steady_clock::now() - start;
    if (!answer.ok()) return {answer.status(), "", client::AttemptsOf(answer.status()), took};
    return {answer.status(), answer->served_by, answer->route, took};
  }

  bool BreakerIsOpen() const {
    const std::string series = fmt::format(
        R"(engram_node_breaker_state{{node="{}",operations="reads"}})", cluster.Name(kPrimary));
    return ValueOf(Scrape(cluster, kEntry), series) == 2;
  }

  TestCluster cluster{ThreeNodes()};

 private:
  // The memory is stored while the node is the space's primary.
  void Copy(int node, uint64_t counter) {
    hooks_.Hold(node, MakeAssignment(cluster, kSpace, counter, node));
    auto stored = cluster.Client({node})->Store(MakeStore(kSpace, "tea", "tea is at four"));
    ASSERT_TRUE(stored.ok()) << stored.status();
    EXPECT_EQ(stored->served_by, cluster.Name(node));
  }

  TestHooks hooks_{cluster};
  std::unique_ptr<client::Client> client_ = cluster.Client({kEntry}, kDeadline);
};

void ExpectServedByReplica(const TestCluster& cluster, const Read& read) {
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.served_by, cluster.Name(kReplica));
}

// Reads until the entry node leaves the primary alone.
std::vector<double> ReadUntilOpen(TwoCopies& copies) {
  std::vector<double> took;
  EXPECT_TRUE(Eventually([&] {
    const Read read = copies.Get();
    ExpectServedByReplica(copies.cluster, read);
    took.push_back(read.took.count());
    return ::testing::Test::HasFailure() || copies.BreakerIsOpen();
  }));
  return took;
}

// From then on nobody asks the primary.
std::vector<double> ReadOnceOpen(TwoCopies& copies) {
  std::vector<double> took;
  for (int i = 0; i < 50 && !::testing::Test::HasFailure(); ++i) {
    const Read read = copies.Get();
    ExpectServedByReplica(copies.cluster, read);
    took.push_back(read.took.count());
    for (const v1::Attempt& attempt : read.route) {
      if (attempt.node() != copies.cluster.Name(kPrimary)) continue;
      EXPECT_EQ(attempt.outcome(), "skipped");
      EXPECT_EQ(attempt.reason(), "its circuit breaker is open");
    }
  }
  return took;
}

void ExpectReadsGoOn(TwoCopies& copies) {
  const std::vector<double> until = ReadUntilOpen(copies);
  const std::vector<double> after = ReadOnceOpen(copies);
  if (::testing::Test::HasFailure()) return;
  fmt::print(
      "until the breaker opened: {} reads, the first {:.1f} ms, the longest {:.1f} ms; "
      "after that: {} reads, the longest {:.1f} ms\n",
      until.size(), until[0], *std::max_element(until.begin(), until.end()), after.size(),
      *std::max_element(after.begin(), after.end()));
}

// Before it fails the primary is the one that is asked.
void ExpectServedByPrimary(TwoCopies& copies) {
  const Read read = copies.Get();
  ASSERT_TRUE(read.status.ok()) << read.status;
  ASSERT_EQ(read.served_by, copies.cluster.Name(kPrimary));
  ASSERT_FALSE(copies.BreakerIsOpen());
}

// All its threads: a signal is delivered some time after it was sent.
void Stop(Process& process) {
  process.Signal(SIGSTOP);
  siginfo_t info{};
  ASSERT_TRUE(Eventually([&] {
    waitid(P_PID, static_cast<id_t>(process.pid()), &info, WSTOPPED | WNOWAIT | WNOHANG);
    return info.si_pid == process.pid();
  }));
}

TEST(DeadOwner, Killed) {
  TwoCopies copies;
  ExpectServedByPrimary(copies);
  copies.cluster.Kill9(kPrimary);
  ExpectReadsGoOn(copies);
}

TEST(DeadOwner, Stopped) {
  TwoCopies copies;
  ExpectServedByPrimary(copies);
  Stop(copies.cluster.node(kPrimary));
  ExpectReadsGoOn(copies);
  copies.cluster.node(kPrimary).Signal(SIGCONT);
}

TEST(DeadOwner, BlackHoled) {
  auto network = PrivateNetwork::Create();
  if (!network.ok()) GTEST_SKIP() << network.status();
  TwoCopies copies;
  ExpectServedByPrimary(copies);
  const std::string address = copies.cluster.Address(kPrimary);
  (*network)->BlackHole(std::stoi(address.substr(address.find(':') + 1)));
  ExpectReadsGoOn(copies);
  EXPECT_GT((*network)->Dropped(), 0u);
}

}  // namespace
}  // namespace engram::testing
