// Small histories by hand, for tests of the checker. Header only; a plain value.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "support/checker.h"

namespace engram::testing {

inline TimePoint At(int milliseconds) { return TimePoint(std::chrono::milliseconds(milliseconds)); }
inline Version In(uint64_t counter, const char* primary, uint64_t sequence) {
  return {{counter, NodeId(primary)}, sequence};
}

// One memory "m" of one space. Each operation takes 5 ms from `begin` unless changed.
class Story {
 public:
  Operation& Store(const std::string& value, int begin, const Version& version) {
    Operation& op = Add(OperationKind::kStore, "r" + value, begin, version);
    op.revisions = {{value, {}}};
    return op;
  }
  Operation& Forget(const std::string& request, int begin, const Version& version) {
    return Add(OperationKind::kForget, request, begin, version);
  }
  Operation& Get(const std::vector<std::string>& values, int begin, const Version& version) {
    Operation& op = Add(OperationKind::kGet, "", begin, version);
    for (const std::string& value : values) op.revisions.push_back({value, {}});
    return op;
  }
  // At the end `node` holds these.
  void Copy(const std::string& node, const std::vector<std::string>& values) {
    history.copies.push_back({NextLine(), SpaceId("s"), NodeId(node)});
    Held held{NextLine(), SpaceId("s"), NodeId(node), MemoryId("m"), {}};
    for (const std::string& value : values) held.revisions.push_back({value, {}});
    history.held.push_back(held);
  }

  static void Lose(Operation& op) {
    op.outcome = Outcome::kUnknown;
    op.end.reset();
  }

  History history;

 private:
  Operation& Add(OperationKind kind, const std::string& request, int begin,
                 const Version& version) {
    Operation op;
    op.line = NextLine();
    op.kind = kind;
    op.outcome = Outcome::kOk;
    op.first_effect = kind != OperationKind::kGet;
    op.client = "c";
    op.request = request;
    op.space = SpaceId("s");
    op.id = MemoryId("m");
    op.begin = At(begin);
    op.end = At(begin + 5);
    op.deadline = At(begin + 100);
    op.served_by = version.epoch.primary;
    op.version = version;
    history.operations.reserve(100);  // references stay good
    return history.operations.emplace_back(std::move(op));
  }
  size_t NextLine() { return ++line_; }
  size_t line_ = 1;
};

inline void ExpectRight(const Story& story) {
  const Verdict verdict = Judge(story.history);
  EXPECT_TRUE(verdict.ok()) << verdict.ToString();
}

// Exactly this promise, exactly once, with these lines.
inline void ExpectBroken(const Story& story, Promise promise, const std::vector<size_t>& lines) {
  const Verdict verdict = Judge(story.history);
  ASSERT_EQ(verdict.total(), 1U) << verdict.ToString();
  EXPECT_EQ(verdict.violations.front().promise, promise) << verdict.ToString();
  EXPECT_EQ(verdict.violations.front().lines, lines) << verdict.ToString();
}

}  // namespace engram::testing
