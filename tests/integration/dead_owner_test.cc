// SPEC R8 and R9 with real processes: a primary dies, hangs, or is cut off by a network that drops
// its packets. Reads go on at the other holder; writes, which only the primary may take, end with
// an error that says what is known of them. How long each took is printed; what decides is only who
// served it, who was asked, and which error it was.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "engram/base/error.h"
#include "support/cluster.h"
#include "support/private_network.h"
#include "support/requests.h"
#include "support/scrape.h"
#include "support/two_copies.h"

namespace engram::testing {
namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;

// Once open it stays open for the test, also on a machine that takes its time.
const std::vector<std::string> kStaysOpen = {"--breaker-open", "600s"};

struct Read {
  absl::Status status;
  bool found = false;
  std::string served_by;
  std::vector<v1::Attempt> route;
  Milliseconds took{};
};

template <class Message, class Found>
Read ToRead(absl::StatusOr<client::Answer<Message>> answer, Found found) {
  if (!answer.ok()) return {answer.status(), false, "", client::AttemptsOf(answer.status())};
  return {answer.status(), found(answer->message), answer->served_by, answer->route};
}

// Gets and recalls in turn.
class Reader {
 public:
  explicit Reader(TwoCopies& copies) : copies_(copies) {}

  Read Next() {
    const auto start = std::chrono::steady_clock::now();
    Read read = ++turn_ % 2 == 1 ? Get() : Recall();
    read.took = std::chrono::steady_clock::now() - start;
    return read;
  }

 private:
  Read Get() {
    return ToRead(client_->Get(MakeGet(copies_.space(), TwoCopies::kMemory), client::Explain::kYes),
                  [](const v1::GetResponse& got) { return got.content() == TwoCopies::kContent; });
  }
  Read Recall() {
    return ToRead(client_->Recall(MakeRecall(copies_.space(), "tea"), client::Explain::kYes),
                  [](const v1::RecallResponse& found) {
                    return found.results_size() == 1 &&
                           found.results(0).content() == TwoCopies::kContent;
                  });
  }

  TwoCopies& copies_;
  std::unique_ptr<client::Client> client_ = copies_.Asker();
  int turn_ = 0;
};

void ExpectServedByReplica(const TwoCopies& copies, const Read& read) {
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_TRUE(read.found);
  EXPECT_EQ(read.served_by, copies.Replica());
}

// Reads until the entry node leaves the primary alone.
std::vector<double> ReadUntilOpen(TwoCopies& copies, Reader& reader) {
  std::vector<double> took;
  EXPECT_TRUE(Eventually([&] {
    const Read read = reader.Next();
    ExpectServedByReplica(copies, read);
    took.push_back(read.took.count());
    return ::testing::Test::HasFailure() || copies.BreakerState("reads") == 2;
  }));
  return took;
}

// From then on nobody asks the primary.
std::vector<double> ReadOnceOpen(TwoCopies& copies, Reader& reader) {
  std::vector<double> took;
  for (int i = 0; i < 50 && !::testing::Test::HasFailure(); ++i) {
    const Read read = reader.Next();
    ExpectServedByReplica(copies, read);
    took.push_back(read.took.count());
    for (const v1::Attempt& attempt : read.route) {
      if (attempt.node() != copies.Primary()) continue;
      EXPECT_EQ(attempt.outcome(), "skipped");
      EXPECT_EQ(attempt.reason(), "its circuit breaker is open");
    }
  }
  return took;
}

void ExpectReadsGoOn(TwoCopies& copies) {
  Reader reader(copies);
  const std::vector<double> until = ReadUntilOpen(copies, reader);
  const std::vector<double> after = ReadOnceOpen(copies, reader);
  if (::testing::Test::HasFailure()) return;
  fmt::print(
      "until the breaker opened: {} reads, the first {:.1f} ms, the longest {:.1f} ms; "
      "after that: {} reads, the longest {:.1f} ms\n",
      until.size(), until[0], *std::max_element(until.begin(), until.end()), after.size(),
      *std::max_element(after.begin(), after.end()));
}

// Before it fails the primary is the one that is asked.
void ExpectServedByPrimary(TwoCopies& copies) {
  const Read read = Reader(copies).Next();
  ASSERT_TRUE(read.status.ok()) << read.status;
  ASSERT_EQ(read.served_by, copies.Primary());
  ASSERT_EQ(copies.BreakerState("reads"), 0);
}

TEST(DeadOwner, Killed) {
  TwoCopies copies(kStaysOpen);
  ExpectServedByPrimary(copies);
  copies.cluster().Kill9(TwoCopies::kPrimary);
  ExpectReadsGoOn(copies);
}

TEST(DeadOwner, Stopped) {
  TwoCopies copies(kStaysOpen);
  ExpectServedByPrimary(copies);
  copies.cluster().node(TwoCopies::kPrimary).Stop();
  ExpectReadsGoOn(copies);
  copies.cluster().node(TwoCopies::kPrimary).Signal(SIGCONT);
}

TEST(DeadOwner, BlackHoled) {
  auto network = PrivateNetwork::Create();
  if (!network.ok()) GTEST_SKIP() << network.status();
  TwoCopies copies(kStaysOpen);
  ExpectServedByPrimary(copies);
  (*network)->BlackHole(copies.cluster().Port(TwoCopies::kPrimary));
  ExpectReadsGoOn(copies);
  EXPECT_GT((*network)->Dropped(), 0u);
}

// A write at a primary that cannot answer, over the one connection that is open to it.
class DeadOwnerWrites : public ::testing::Test {
 protected:
  static constexpr std::chrono::milliseconds kDeadline{1'500};

  // `more` are flags of the nodes.
  void Begin(std::vector<std::string> more) {
    more.insert(more.end(), {"--loops", "1", "--connections-per-node", "1"});
    more.insert(more.end(), kStaysOpen.begin(), kStaysOpen.end());
    copies_ = std::make_unique<TwoCopies>(more);
    client_ = copies_->cluster().Client({TwoCopies::kEntry}, std::chrono::seconds(60));
    ASSERT_TRUE(Write("before").ok());
  }
  static std::vector<std::string> Deadline() {
    return {"--deadline", fmt::format("{}ms", kDeadline.count())};
  }
  // Nobody is left who could become primary: nothing to wait for.
  void DropReplica() { copies_->hooks().Drop(TwoCopies::kReplica, copies_->space()); }
  Process& primary() { return copies_->cluster().node(TwoCopies::kPrimary); }

  absl::Status Write(const std::string& id) {
    return client_->Store(MakeStore(copies_->space(), id, "text")).status();
  }

  // The entry node ends it, since the client would wait for longer, and says what it is about.
  void ExpectWriteEnds(ErrorCode expected) {
    const auto start = std::chrono::steady_clock::now();
    const absl::Status status = Write("after");
    const Milliseconds took = std::chrono::steady_clock::now() - start;
    EXPECT_EQ(CodeOf(status), expected) << status;
    EXPECT_EQ(DetailOf(status).space, copies_->space()) << status;
    EXPECT_EQ(DetailOf(status).node, copies_->Primary()) << status;
    fmt::print("{}: after {:.1f} ms\n", InfoOf(CodeOf(status)).name, took.count());
  }

  std::unique_ptr<TwoCopies> copies_;
  std::unique_ptr<client::Client> client_;
};

// What certainly reached nobody has failed, and is not called undetermined.
TEST_F(DeadOwnerWrites, KilledThenAllReplicasFailedThenTheBreakerIsOpen) {
  Begin({});
  DropReplica();
  copies_->cluster().Kill9(TwoCopies::kPrimary);
  const std::string ready =
      fmt::format(R"(engram_pool_channels_ready{{node="{}"}})", copies_->Primary());
  ASSERT_TRUE(Eventually([&] { return copies_->Counted(ready) == 0; })) << "it has heard of it";
  ExpectWriteEnds(ErrorCode::kAllReplicasFailed);
  ASSERT_TRUE(Eventually([&] {
    const absl::Status status = Write("after");
    const ErrorCode code = CodeOf(status);
    // The last holder gets a probe now and then.
    EXPECT_TRUE(code == ErrorCode::kAllReplicasFailed || code == ErrorCode::kCircuitBreakerOpen)
        << status;
    return HasFailure() || code == ErrorCode::kCircuitBreakerOpen;
  }));
  EXPECT_EQ(copies_->BreakerState("writes"), 2);
  EXPECT_EQ(copies_->BreakerState("reads"), 0) << "judged apart";
}

// SPEC C7: the other holder will become primary, so the write goes on until it is.
TEST_F(DeadOwnerWrites, KilledOrStoppedTheWriteWaitsForTheNextPrimary) {
  for (const bool killed : {true, false}) {
    Begin({"--deadline", "60s"});
    killed ? copies_->cluster().Kill9(TwoCopies::kPrimary) : primary().Stop();
    const auto asked = [this] {
      return copies_->Counted("engram_wire_calls_begun_total", TwoCopies::kReplica);
    };
    const double before = asked();
    auto write = std::async(std::launch::async, [this] {
      return client_->Store(MakeStore(copies_->space(), "meanwhile", "text"));
    });
    EXPECT_TRUE(Eventually([&] { return asked() > before + 20; }))
        << "more questions than of a request that gives up";
    copies_->hooks().Hold(TwoCopies::kReplica,
                          MakeAssignment(copies_->cluster(), copies_->space(), 13,
                                         TwoCopies::kReplica, {TwoCopies::kPrimary}));
    auto written = write.get();
    EXPECT_TRUE(written.ok()) << written.status();
    EXPECT_EQ(written.ok() ? written->served_by : "", copies_->Replica());
    if (!killed) primary().Signal(SIGCONT);
  }
}

TEST_F(DeadOwnerWrites, StoppedEndsAtTheDeadline) {
  Begin(Deadline());
  primary().Stop();
  ExpectWriteEnds(ErrorCode::kDeadlineExceeded);
  primary().Signal(SIGCONT);
}

TEST_F(DeadOwnerWrites, StoppedEndsUndeterminedAfterThreeTries) {
  Begin({"--write-try-limit", "300ms", "--deadline", "60s"});
  DropReplica();
  primary().Stop();
  ExpectWriteEnds(ErrorCode::kUndetermined);
  EXPECT_EQ(copies_->Counted(R"(engram_routing_retries_total{reason="deadline_exceeded"})"), 2);
  primary().Signal(SIGCONT);
  EXPECT_TRUE(Eventually([&] { return Write("again").ok(); }));
}

TEST_F(DeadOwnerWrites, BlackHoledEndsAtTheDeadline) {
  auto network = PrivateNetwork::Create();
  if (!network.ok()) GTEST_SKIP() << network.status();
  Begin(Deadline());
  (*network)->BlackHole(copies_->cluster().Port(TwoCopies::kPrimary));
  ExpectWriteEnds(ErrorCode::kDeadlineExceeded);
  copies_.reset();  // before the network
}

TEST_F(DeadOwnerWrites, BlackHoledEndsUndeterminedAfterThreeTries) {
  auto network = PrivateNetwork::Create();
  if (!network.ok()) GTEST_SKIP() << network.status();
  Begin({"--write-try-limit", "300ms", "--deadline", "60s"});
  DropReplica();
  (*network)->BlackHole(copies_->cluster().Port(TwoCopies::kPrimary));
  ExpectWriteEnds(ErrorCode::kUndetermined);
  copies_.reset();
}

}  // namespace
}  // namespace engram::testing
