// The checker finds nothing in right histories, and every corruption of one.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <vector>

#include "support/checker.h"
#include "support/random_history.h"

namespace engram::testing {
namespace {

History Right(uint64_t seed, RandomHistoryOptions options = {}) {
  std::mt19937_64 random(seed);
  return RandomHistory(options, random);
}

RC_GTEST_PROP(RandomHistories, RightOnesAreNotBlamed, (uint64_t seed)) {
  const Verdict verdict = Judge(Right(seed));
  RC_ASSERT(verdict.ToString() == "0 violations, 0 of them listed\n");
}

// Where troubles are many, and most replies are lost.
RC_GTEST_PROP(RandomHistories, RightOnesInGreatTroubleAreNotBlamed, (uint64_t seed)) {
  const Verdict verdict = Judge(Right(
      seed, {.operations = 400, .memories = 3, .lost_replies_percent = 40, .trouble_percent = 20}));
  RC_ASSERT(verdict.ToString() == "0 violations, 0 of them listed\n");
}

RC_GTEST_PROP(RandomHistories, VerdictIsTheSameTwice, (uint64_t seed)) {
  History history = Right(seed);
  history.held.pop_back();
  history.operations.resize(history.operations.size() / 2);
  RC_ASSERT(Judge(history).ToString() == Judge(history).ToString());
}

// One memory that stands at the end in each copy, and all lines that hold it.
std::vector<Held*> SomeMemory(History& history, uint64_t seed) {
  RC_PRE(!history.held.empty());
  const Held& chosen = history.held[seed % history.held.size()];
  std::vector<Held*> out;
  for (Held& held : history.held) {
    if (held.id == chosen.id) out.push_back(&held);
  }
  return out;
}

// Some operation that fits; discards the case if there is none.
template <class Fits>
Operation& Some(History& history, uint64_t seed, Fits fits) {
  std::vector<Operation*> out;
  for (Operation& op : history.operations) {
    if (fits(op)) out.push_back(&op);
  }
  RC_PRE(!out.empty());
  return *out[seed % out.size()];
}

bool IsWrite(const Operation& op) { return op.kind != OperationKind::kGet; }
bool IsFirstEffect(const Operation& op) {
  return IsWrite(op) && op.outcome == Outcome::kOk && op.first_effect;
}
bool IsAnswered(const Operation& op) { return op.outcome == Outcome::kOk; }

void ExpectCaught(const History& history, Promise promise) {
  const Verdict verdict = Judge(history);
  RC_LOG(verdict.ToString());
  RC_ASSERT(verdict.CountOf(promise) > 0U);
  RC_ASSERT(verdict.CountOf(Promise::kRecord) == 0U);
}

RC_GTEST_PROP(CorruptHistories, CopyWithoutAMemory, (uint64_t seed)) {
  History history = Right(seed);
  SomeMemory(history, seed).front()->revisions.clear();
  ExpectCaught(history, Promise::kCopiesEqual);
}

// As the last word, so that nothing can have replaced it.
RC_GTEST_PROP(CorruptHistories, AcknowledgedWriteThatNoCopyHas, (uint64_t seed)) {
  History history = Right(seed);
  Operation lost = Some(history, seed, [](const Operation& op) {
    return op.kind == OperationKind::kStore && IsFirstEffect(op);
  });
  lost.request = "last";
  lost.revisions = {{"vlast", {}}};
  lost.begin += std::chrono::hours(1);
  lost.deadline.reset();
  *lost.end += std::chrono::hours(1);
  lost.version = {{1'000, lost.served_by}, 1};
  for (Operation& op : history.operations) {  // a lost delete may be late
    if (op.kind == OperationKind::kForget && op.id == lost.id) op.outcome = Outcome::kFail;
  }
  for (Held& held : history.held) {  // an unknown store, too
    if (held.id == lost.id) held.revisions.clear();
  }
  history.operations.push_back(lost);
  ExpectCaught(history, Promise::kNothingLost);
}

RC_GTEST_PROP(CorruptHistories, DeletedMemoryInEveryCopy, (uint64_t seed)) {
  History history = Right(seed);
  Operation& store = Some(history, seed, [](const Operation& op) {
    return op.kind == OperationKind::kStore && IsFirstEffect(op) && !op.flagged;
  });
  const auto tries =
      std::count_if(history.operations.begin(), history.operations.end(),
                    [&](const Operation& op) { return op.request == store.request; });
  RC_PRE(tries == 1);
  Operation forget = store;
  forget.kind = OperationKind::kForget;
  forget.request = "delete";
  forget.revisions.clear();
  forget.begin = *store.end + std::chrono::hours(1);
  forget.end = forget.begin + std::chrono::milliseconds(1);
  forget.deadline.reset();
  forget.version = {{1'000, forget.served_by}, 1};
  const Revision back = store.revisions.front();
  const MemoryId id = store.id;
  history.operations.push_back(forget);
  std::erase_if(history.held, [&](const Held& held) { return held.id == id; });
  for (const Copy& copy : history.copies) {
    history.held.push_back({0, copy.space, copy.node, id, {back}});
  }
  ExpectCaught(history, Promise::kStaysDeleted);
}

RC_GTEST_PROP(CorruptHistories, EpochsSwapped, (uint64_t seed)) {
  History history = Right(seed);
  Operation& one = Some(history, seed, IsFirstEffect);
  Operation& other = Some(history, seed / 7, [&](const Operation& op) {
    return IsFirstEffect(op) && op.version.epoch.primary != one.version.epoch.primary;
  });
  std::swap(one.version.epoch, other.version.epoch);
  ExpectCaught(history, Promise::kOnePrimary);
}

RC_GTEST_PROP(CorruptHistories, TwoWritesAtOnePlace, (uint64_t seed)) {
  History history = Right(seed);
  Operation& one = Some(history, seed, IsFirstEffect);
  Operation& other = Some(history, seed / 7, [&](const Operation& op) {
    return IsFirstEffect(op) && op.request != one.request;
  });
  one.version = other.version;
  one.served_by = other.served_by;
  ExpectCaught(history, Promise::kOnePrimary);
}

RC_GTEST_PROP(CorruptHistories, EffectTwiceInACopy, (uint64_t seed)) {
  History history = Right(seed);
  Held& held = *SomeMemory(history, seed).front();
  held.revisions.push_back(held.revisions.front());
  ExpectCaught(history, Promise::kOneEffect);
}

RC_GTEST_PROP(CorruptHistories, EffectTwiceInALog, (uint64_t seed)) {
  History history = Right(seed);
  Operation again = Some(history, seed, IsFirstEffect);
  again.version.sequence += 1'000'000;
  history.operations.push_back(again);
  ExpectCaught(history, Promise::kOneEffect);
}

RC_GTEST_PROP(CorruptHistories, LateReply, (uint64_t seed)) {
  History history = Right(seed);
  Operation& op = Some(history, seed, IsAnswered);
  op.end = *op.deadline + std::chrono::milliseconds(51);
  ExpectCaught(history, Promise::kInTime);
}

RC_GTEST_PROP(CorruptHistories, FourthHop, (uint64_t seed)) {
  History history = Right(seed);
  Operation& op = Some(history, seed, IsAnswered);
  history.calm.push_back({0, op.begin, *op.end});
  op.hops = 4;
  ExpectCaught(history, Promise::kFewHops);
}

RC_GTEST_PROP(CorruptHistories, ReadOfWhatNobodyWrote, (uint64_t seed)) {
  History history = Right(seed);
  Operation& op = Some(history, seed, [](const Operation& get) {
    return IsAnswered(get) && !IsWrite(get) && !get.revisions.empty();
  });
  op.revisions.front().value += "x";
  ExpectCaught(history, Promise::kNeverWrong);
}

// A get shows again what another one showed, though a quorum has written since. Nobody has asked
// twice: a duplicate might explain it.
RC_GTEST_PROP(CorruptHistories, ReadOfOldContent, (uint64_t seed)) {
  History history = Right(seed, {.lost_replies_percent = 0});
  for (Operation& op : history.operations) op.hops = 0;
  const Operation write = Some(history, seed, [](const Operation& op) {
    return op.kind == OperationKind::kStore && IsFirstEffect(op) && op.ack == AckLevel::kQuorum;
  });
  const Operation old = Some(history, seed / 7, [&](const Operation& op) {
    return op.kind == OperationKind::kStore && IsFirstEffect(op) && op.id == write.id &&
           *op.end < write.begin;
  });
  const bool deleted =
      std::any_of(history.operations.begin(), history.operations.end(), [&](const Operation& op) {
        return op.kind == OperationKind::kForget && op.id == write.id &&
               op.end.value_or(kNever) >= write.begin;
      });
  RC_PRE(!deleted);
  Operation get = write;
  get.kind = OperationKind::kGet;
  get.flagged = false;
  get.request = "stale";
  get.begin = *write.end + std::chrono::milliseconds(1);
  get.end = get.begin + std::chrono::milliseconds(1);
  get.revisions = old.revisions;
  history.operations.push_back(get);
  ExpectCaught(history, Promise::kNeverWrong);
}

TEST(CheckerSpeed, JudgesAMillionOperationsInSeconds) {
  const History history =
      Right(1, {.operations = 1'000'000, .memories = 20'000, .trouble_percent = 0});
  const auto start = std::chrono::steady_clock::now();
  const Verdict verdict = Judge(history);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_TRUE(verdict.ok()) << verdict.ToString();
  fmt::print("{} operations judged in {:.1f} s\n", history.operations.size(), took.count());
}

}  // namespace
}  // namespace engram::testing
