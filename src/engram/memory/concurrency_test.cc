// Many threads on one engine; worth most under the thread sanitizer.
#include <atomic>
#include <set>
#include <thread>

#include "engram/memory/testing/engine_fixture.h"

namespace engram::memory {
namespace {

class Concurrency : public EngineTest {};

StoreCommand RandomStore(std::mt19937_64& random) {
  StoreCommand command;
  command.space = SpaceId("s" + std::to_string(random() % 2));
  command.id = MemoryId("m" + std::to_string(random() % 50));
  command.content = "word" + std::to_string(random() % 20) + " common";
  command.embedding = {static_cast<float>(random() % 9) + 1, static_cast<float>(random() % 9)};
  const MemoryId target("m" + std::to_string(random() % 50));
  if (target != *command.id) command.links = {{target, 0.5}};
  command.identity.request_id = Ulid::Make(WallMillis{kTestStart}, random);
  command.create_space = CreateSpace::kYes;
  return command;
}

void WriteSome(Engine& engine, uint64_t seed, int count, std::atomic<int>& answered) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < count; ++i) {
    auto done = [&](const absl::StatusOr<WriteResult>&) { ++answered; };
    StoreCommand command = RandomStore(random);
    if (random() % 5 == 0) {
      engine.Forget({command.space, *command.id, command.identity}, done);
    } else {
      engine.Store(std::move(command), done);
    }
  }
}

void ReadSome(const Engine& engine, uint64_t seed, const std::atomic<bool>& stop) {
  std::mt19937_64 random(seed);
  while (!stop) {
    RecallQuery query;
    query.space = SpaceId("s" + std::to_string(random() % 2));
    query.text = "word" + std::to_string(random() % 20) + " common";
    query.embedding = {1, 1};
    auto result = engine.Recall(query);
    if (!result.ok()) {
      EXPECT_EQ(CodeOf(result.status()), ErrorCode::kNoAssignment);
    } else {
      std::set<MemoryId> once;
      for (const RecallHit& hit : result->hits) EXPECT_TRUE(once.insert(hit.memory.id).second);
    }
    (void)engine.Get(query.space, MemoryId("m" + std::to_string(random() % 50)));
    (void)engine.GetEncoded(query.space, MemoryId("m" + std::to_string(random() % 50)));
    (void)engine.ListSpaces();
  }
}

// Documents die often enough for indexes to be reloaded, and there are vectors enough for graphs.
TEST_F(Concurrency, WritersAndReadersDoNotDisturbEachOther) {
  exact_vectors_max_ = 20;
  Open();
  constexpr int kWrites = 1500;
  std::atomic<int> answered = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> writers;
  std::vector<std::thread> readers;
  for (uint64_t i = 0; i < 2; ++i) {
    writers.emplace_back([&, i] { WriteSome(*engine_, i, kWrites, answered); });
    readers.emplace_back([&, i] { ReadSome(*engine_, 100 + i, stop); });
  }
  for (std::thread& writer : writers) writer.join();
  // The last write of the queue is answered after all others.
  ASSERT_TRUE(Store("last", "text").ok());
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(answered, 2 * kWrites);
}

TEST_F(Concurrency, FirstRecallLoadsOnceWhileWritesGoOn) {
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(Store("m" + std::to_string(i), "apples").ok());
  for (int round = 0; round < 5; ++round) {
    Open();
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] { EXPECT_EQ(RecallIds("apples").size(), 10u); });
    }
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(Store("new" + std::to_string(round), "pears " + std::to_string(i)).ok());
    }
    for (std::thread& thread : threads) thread.join();
    RecallQuery query = MakeQuery("pears");
    query.limit = 100;
    EXPECT_EQ(RecallIds(query).size(), static_cast<size_t>(round) + 1);
    EXPECT_EQ(RecallIds("19").size(), static_cast<size_t>(round) + 1);
    EXPECT_TRUE(RecallIds("18").empty());
  }
}

TEST_F(Concurrency, ClosingAnswersEveryQueuedWrite) {
  std::atomic<int> answered = 0;
  for (int i = 0; i < 100; ++i) {
    engine_->Store(MakeStore("m" + std::to_string(i), "text"), [&](auto result) {
      EXPECT_TRUE(result.ok());
      ++answered;
    });
  }
  engine_.reset();
  EXPECT_EQ(answered, 100);
  Open();
  EXPECT_EQ(engine_->FindSpace("space")->memories, 100u);
}

}  // namespace
}  // namespace engram::memory
