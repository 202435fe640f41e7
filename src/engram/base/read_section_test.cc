#include "engram/base/read_section.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
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

// Spins, for the two to meet closely; gives way now and then, for machines with one core.
template <class Condition>
void SpinUntil(Condition condition) {
  for (int i = 1; !condition(); ++i) {
    if (i % 1'000 == 0) std::this_thread::yield();
  }
}

// A reader and a writer meet, again and again, at the moment where both have to see each other: a
// reader that is inside and has read the old value must be seen by the writer that replaced it.
// Without the fence of either kind both miss the other in some of the rounds.
void NoReaderIsMissed() {
  constexpr int kRounds = 100'000;
  constexpr std::chrono::seconds kLongest(2);  // a busy machine plays fewer rounds
  struct alignas(64) Word {
    std::atomic<int> value{0};
  };
  Word current, round, inside, judged;
  // Lines that both write, for the reader's stores to be late.
  std::array<Word, 24> contended;
  auto write_contended = [&] {
    for (Word& word : contended) word.value.store(1, std::memory_order_relaxed);
  };
  std::atomic<bool> over = false;
  int old_values = 0;
  std::thread reader([&] {
    for (int i = 1;; ++i) {
      SpinUntil([&] { return round.value >= i || over; });
      if (over) return;
      write_contended();
      ReadSection section;
      inside.value = current.value.load() == i ? i : -i;
      SpinUntil([&] { return judged.value >= i; });
    }
  });
  int missed = 0;
  const auto end = std::chrono::steady_clock::now() + kLongest;
  for (int i = 1; i <= kRounds && std::chrono::steady_clock::now() < end; ++i) {
    write_contended();
    round.value = i;
    for (int pause = i % 64; pause > 0; --pause)
      std::atomic_signal_fence(std::memory_order_seq_cst);
    current.value = i;
    const uint64_t stamp = RetireStamp();
    const bool may_free = OldestReader() > stamp;
    SpinUntil([&] { return std::abs(inside.value) >= i; });
    const bool has_old = inside.value < 0;
    old_values += has_old ? 1 : 0;
    missed += may_free && has_old ? 1 : 0;
    judged.value = i;
  }
  over = true;
  reader.join();
  EXPECT_EQ(missed, 0) << "of " << old_values << " readers with the old value";
}

TEST(ReadSection, NoReaderIsMissed) { NoReaderIsMissed(); }

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

TEST(ReadSection, WithoutMembarrierToo) {
  UseFencesForTest();
  NoReaderIsMissed();
  ReadersNeverSeeWhatWasFreed();
}

}  // namespace
}  // namespace engram
