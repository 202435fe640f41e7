#include "engram/base/published.h"

#include <gtest/gtest.h>

#include <thread>

namespace engram {
namespace {

// Knows whether it is still there.
struct Pair {
  Pair(int a, int b) : first(a), second(b) {}
  ~Pair() { first = second = -1; }
  int first;
  int second;
};

TEST(Published, ReadsTheLatestValue) {
  Published<int> value(std::make_unique<const int>(1));
  EXPECT_EQ(value.Read([](int v) { return v; }), 1);
  value.Replace(std::make_unique<const int>(2));
  EXPECT_EQ(value.Read([](int v) { return v; }), 2);
}

TEST(Published, NobodyReadsWhatWasFreedOrHalfReplaced) {
  constexpr int kReplacements = 20'000;
  Published<Pair> value(std::make_unique<const Pair>(0, 0));
  std::atomic<bool> whole{true};
  std::thread reader([&] {
    for (int last = 0; last < kReplacements;) {
      last = value.Read([&](const Pair& pair) {
        if (pair.first != pair.second || pair.first < last) whole = false;
        return pair.first;
      });
    }
  });
  for (int i = 1; i <= kReplacements; ++i) value.Replace(std::make_unique<const Pair>(i, i));
  reader.join();
  EXPECT_TRUE(whole);
}

TEST(Published, FormerValuesAreFreed) {
  auto first = std::make_shared<int>(1);
  Published<std::shared_ptr<int>> value(std::make_unique<const std::shared_ptr<int>>(first));
  for (int i = 0; i < 2; ++i) {
    value.Replace(std::make_unique<const std::shared_ptr<int>>(std::make_shared<int>(2)));
  }
  EXPECT_EQ(first.use_count(), 1);
}

}  // namespace
}  // namespace engram
