// One engine on a directory of its own, with a clock that the test sets and calls that wait for
// their result.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <random>
#include <string>
#include <utility>

#include "engram/base/error.h"
#include "engram/memory/engine.h"
#include "engram/storage/testing/temp_dir.h"

namespace engram::memory {

inline constexpr int64_t kTestStart = 1'700'000'000'000;

inline EngineOptions TestOptions(const std::filesystem::path& dir) {
  EngineOptions options;
  options.dir = dir;
  options.cluster_id = "cluster-1";
  options.node_id = NodeId("n0");
  options.durability = Durability::kProcess;
  options.wall_clock = [] { return WallMillis{kTestStart}; };
  return options;
}

// The tests' fixture; each test has its own.
class EngineTest : public ::testing::Test {
 protected:
  EngineTest() { Open(); }

  // Closes the engine, if it is open, and opens it again.
  void Open() {
    engine_.reset();
    auto opened = Engine::Open(Options());
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
  }

  EngineOptions Options() {
    EngineOptions options = TestOptions(dir_.path());
    options.wall_clock = [this] { return WallMillis{now_.load()}; };
    options.encode = [this](const Memory& memory) {
      ++encoded_;
      return memory.content + ", " + std::to_string(memory.links.size()) + " links";
    };
    options.exact_vectors_max = exact_vectors_max_;
    options.log_entries_max = log_entries_max_;
    options.on_committed = [this](std::span<const SpaceId> spaces) { changed_ += spaces.size(); };
    return options;
  }

  WriteIdentity NewIdentity() { return {Ulid::Make(WallMillis{now_.load()}, random_), 0}; }

  StoreCommand MakeStore(std::string id, std::string content) {
    StoreCommand command;
    command.space = space_;
    command.id = MemoryId(std::move(id));
    command.content = std::move(content);
    command.identity = NewIdentity();
    command.create_space = CreateSpace::kYes;
    return command;
  }

  absl::StatusOr<WriteResult> Store(StoreCommand command) {
    return Await([&](auto done) { engine_->Store(std::move(command), std::move(done)); });
  }
  absl::StatusOr<WriteResult> Store(std::string id, std::string content) {
    return Store(MakeStore(std::move(id), std::move(content)));
  }
  absl::StatusOr<WriteResult> Forget(const std::string& id) {
    return Await([&](auto done) {
      engine_->Forget({space_, MemoryId(id), NewIdentity()}, std::move(done));
    });
  }
  absl::StatusOr<WriteResult> Link(const std::string& from, const std::string& to,
                                   double weight = 1.0) {
    return Await([&](auto done) {
      engine_->Link({space_, MemoryId(from), MemoryId(to), weight, NewIdentity()}, std::move(done));
    });
  }
  absl::StatusOr<Memory> Get(const std::string& id) { return engine_->Get(space_, MemoryId(id)); }

  RecallQuery MakeQuery(std::string text) {
    RecallQuery query;
    query.space = space_;
    query.text = std::move(text);
    return query;
  }
  std::vector<RecallHit> Recall(const RecallQuery& query) {
    auto result = engine_->Recall(query);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->hits : std::vector<RecallHit>();
  }
  std::vector<std::string> RecallIds(const RecallQuery& query) {
    std::vector<std::string> ids;
    for (const RecallHit& hit : Recall(query)) ids.push_back(hit.memory.id.value());
    return ids;
  }
  std::vector<std::string> RecallIds(std::string text) {
    return RecallIds(MakeQuery(std::move(text)));
  }

  template <class Call>
  static absl::StatusOr<WriteResult> Await(Call call) {
    std::promise<absl::StatusOr<WriteResult>> promise;
    auto future = promise.get_future();
    call([&](absl::StatusOr<WriteResult> result) { promise.set_value(std::move(result)); });
    return future.get();
  }

  storage::TempDir dir_;
  std::atomic<int64_t> now_ = kTestStart;
  std::atomic<int> encoded_ = 0;     // calls of EngineOptions::encode
  std::atomic<size_t> changed_ = 0;  // spaces told of to EngineOptions::on_committed
  std::mt19937_64 random_{20231114};
  SpaceId space_{"space"};
  size_t exact_vectors_max_ = 5000;
  uint64_t log_entries_max_ = 10'000;
  std::unique_ptr<Engine> engine_;
};

// Matches a Status or StatusOr that carries an InvalidArgument for `field`.
template <class Result>
std::string InvalidField(const Result& result) {
  absl::Status status;
  if constexpr (std::is_same_v<Result, absl::Status>) {
    status = result;
  } else {
    status = result.status();
  }
  return CodeOf(status) == ErrorCode::kInvalidArgument
             ? DetailOf(status).field
             : "not an invalid argument: " + status.ToString();
}

}  // namespace engram::memory
