#include "engram/base/read_section.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace engram {
namespace {

TEST(ReadSection, HoldsWhatWasRetiredAfterItBegan) {
  std::optional<ReadSection> section(std::in_place);
  const uint64_t stamp = RetireStamp();
  EXPECT_LE(OldestReader(), stamp);
  section.reset();
  EXPECT_GT(OldestReader(), stamp);
}

TEST(ReadSection, DoesNotHoldWhatWasRetiredBefore) {
  const uint64_t stamp = RetireStamp();
  ReadSection section;
  EXPECT_GT(OldestReader(), stamp);
}

TEST(ReadSection, AThreadThatHasLeftHoldsNothing) {
  std::atomic<bool> left = false;
  std::atomic<bool> stop = false;
  std::thread idle([&] {
    { ReadSection section; }
    left = true;
    left.notify_one();
    stop.wait(false);
  });
  left.wait(false);
  EXPECT_GT(OldestReader(), RetireStamp());
  stop = true;
  stop.notify_one();
  idle.join();
}

TEST(ReadSection, AThreadThatEndedHoldsNothing) {
  std::thread([] { ReadSection section; }).join();
  EXPECT_GT(OldestReader(), RetireStamp());
}

// Nodes are poisoned when the rule allows it; a reader that still sees one would find the poison.
void ReadersNeverSeeWhatWasFreed() {
  constexpr uint64_t kGood = 7;
  constexpr int kChanges = 20'000;
  using Node = std::array<std::atomic<uint64_t>, 8>;
  auto make = [] {
    auto node = std::make_unique<Node>();
    for (auto& word : *node) word.store(kGood, std::memory_order_relaxed);
    return node;
  };
  std::unique_ptr<Node> owner = make();
  std::atomic<Node*> published{owner.get()};
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> poisoned_reads = 0;
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      while (!stop) {
        ReadSection section;
        for (auto& word : *published.load()) {
          if (word.load(std::memory_order_relaxed) != kGood) ++poisoned_reads;
        }
      }
    });
  }
  std::deque<std::pair<uint64_t, std::unique_ptr<Node>>> limbo;
  std::vector<std::unique_ptr<Node>> poisoned;  // kept, so that reading one is no crash
  for (int i = 0; i < kChanges; ++i) {
    std::unique_ptr<Node> next = make();
    published.store(next.get());
    std::swap(owner, next);
    limbo.emplace_back(RetireStamp(), std::move(next));
    const uint64_t oldest = OldestReader();
    while (!limbo.empty() && limbo.front().first < oldest) {
      for (auto& word : *limbo.front().second) word.store(0, std::memory_order_relaxed);
      poisoned.push_back(std::move(limbo.front().second));
      limbo.pop_front();
    }
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(poisoned_reads, 0u);
  EXPECT_GT(poisoned.size(), 0u);
}

TEST(ReadSection, ReadersNeverSeeWhatWasFreed) { ReadersNeverSeeWhatWasFreed(); }

TEST(ReadSection, ReadersNeverSeeWhatWasFreedWithoutMembarrier) {
  UseFencesForTest();
  ReadersNeverSeeWhatWasFreed();
}

}  // namespace
}  // namespace engram
