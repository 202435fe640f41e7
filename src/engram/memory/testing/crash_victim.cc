#include "engram/memory/testing/crash_victim.h"

#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>

#include "engram/memory/testing/engine_fixture.h"

namespace engram::memory {
namespace {

constexpr int kInFlight = 16;

StoreCommand NumberedStore(const std::string& id, std::mt19937_64& random) {
  StoreCommand command;
  command.space = SpaceId(kCrashSpace);
  command.id = MemoryId(id);
  command.content = id + " common";
  command.embedding = {1, static_cast<float>(random() % 100)};
  command.identity.request_id = Ulid::Make(WallMillis{kTestStart}, random);
  command.create_space = CreateSpace::kYes;
  return command;
}

}  // namespace

void RunCrashVictim(const char* dir, const char* round) {
  auto engine = Engine::Open(TestOptions(dir));
  if (!engine.ok()) _exit(2);
  std::mt19937_64 random(std::strtoull(round, nullptr, 10));
  std::mutex mutex;
  std::condition_variable answered;
  int in_flight = 0;
  for (uint64_t number = 0;; ++number) {
    {
      std::unique_lock lock(mutex);
      answered.wait(lock, [&] { return in_flight < kInFlight; });
      ++in_flight;
    }
    const std::string id = std::string("r") + round + "m" + std::to_string(number);
    (*engine)->Store(NumberedStore(id, random), [&, id](const absl::StatusOr<WriteResult>& result) {
      if (!result.ok()) _exit(3);
      const std::string line = id + "\n";
      if (write(STDOUT_FILENO, line.data(), line.size()) < 0) _exit(4);
      std::lock_guard lock(mutex);
      --in_flight;
      answered.notify_one();
    });
  }
}

}  // namespace engram::memory
