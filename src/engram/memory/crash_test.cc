// kill -9 in the middle of writing, twenty times: everything acknowledged is there, and the indexes
// agree with it.
//
// The test program runs itself again as the victim: with --crash-victim it stores until it is
// killed and writes the id of each acknowledged memory to its standard output.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <sstream>

#include "engram/memory/testing/crash_victim.h"
#include "engram/memory/testing/engine_fixture.h"

namespace engram::memory {
namespace {

constexpr int kRounds = 20;

// The victim as seen from outside.
class Victim {
 public:
  Victim(const std::filesystem::path& dir, int round) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    const std::string round_text = std::to_string(round);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      execl(program.c_str(), program.c_str(), kCrashVictimFlag, dir.c_str(), round_text.c_str(),
            nullptr);
      _exit(127);
    }
    close(ends[1]);
    out_ = ends[0];
  }
  ~Victim() { close(out_); }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  // Kills it once it has acknowledged so many, and returns all it acknowledged.
  std::set<std::string> KillAfter(size_t acknowledged) {
    std::string text;
    bool killed = false;
    char buffer[4096];
    for (ssize_t got; (got = read(out_, buffer, sizeof(buffer))) > 0;) {
      text.append(buffer, static_cast<size_t>(got));
      const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
      if (!killed && lines >= acknowledged) killed = kill(pid_, SIGKILL) == 0;
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the victim ended by itself: " << status;
    text.resize(text.rfind('\n') + 1);
    std::istringstream lines(text);
    std::set<std::string> ids;
    for (std::string id; std::getline(lines, id);) ids.insert(id);
    return ids;
  }

 private:
  pid_t pid_ = 0;
  int out_ = -1;
};

// Every memory that can be read is found by its own word, and nothing else is.
void ExpectConsistent(const Engine& engine, const std::set<std::string>& acknowledged) {
  const SpaceId space(kCrashSpace);
  RecallQuery query;
  query.space = space;
  query.limit = 1;
  for (const std::string& id : acknowledged) {
    auto memory = engine.Get(space, MemoryId(id));
    ASSERT_TRUE(memory.ok()) << id << ": " << memory.status();
    query.text = id;
    auto found = engine.Recall(query);
    ASSERT_TRUE(found.ok() && !found->hits.empty()) << id;
    EXPECT_EQ(found->hits[0].memory.id.value(), id);
    query.embedding = memory->embedding;
    EXPECT_TRUE(engine.Recall(query).ok());
    query.embedding.clear();
  }
  // Unacknowledged ones may be there too, wholly: each took one sequence after the space's own.
  const SpaceSummary summary = *engine.FindSpace(kCrashSpace);
  EXPECT_GE(summary.memories, acknowledged.size());
  EXPECT_EQ(summary.version.sequence, summary.memories + 1);
  query.text = "common";
  query.limit = 1000;
  EXPECT_EQ(engine.Recall(query)->hits.size(), std::min<uint64_t>(summary.memories, 1000));
}

TEST(Crash, NothingAcknowledgedIsLost) {
  storage::TempDir dir;
  std::mt19937_64 random(20261121);
  std::set<std::string> acknowledged;
  for (int round = 0; round < kRounds; ++round) {
    Victim victim(dir.path(), round);
    acknowledged.merge(victim.KillAfter(1 + random() % 60));
    EngineOptions options = TestOptions(dir.path());
    auto engine = Engine::Open(std::move(options));
    ASSERT_TRUE(engine.ok()) << engine.status();
    ExpectConsistent(**engine, acknowledged);
    if (HasFatalFailure()) return;
  }
  EXPECT_GE(acknowledged.size(), static_cast<size_t>(kRounds));
}

}  // namespace
}  // namespace engram::memory
