// The memory engine alone: stores per second, recall latency, restart, memory used.
//
//   engine_bench [--memories N] [--dim D] [--queries Q] [--seed S] [--dir DIR]
//
// Text: words of 2 to 8 letters drawn from a vocabulary of 50,000 by Zipf's law (exponent 1), about
// 200 bytes a memory, so that the commonest words are in nearly every memory; a query has 2 or 3
// words drawn by the same law, plus, every second time, one of the ten commonest. Embeddings: 1,000
// Gaussian clusters, their centres about 1.4 apart, the points about 0.3 from their centre; a query
// is a new point of a random cluster.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>

#include "engram/memory/engine.h"

namespace engram::memory {
namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  size_t memories = 100'000;
  size_t dimension = 128;
  size_t queries = 1000;
  uint64_t seed = 1;
  std::filesystem::path dir =
      std::filesystem::temp_directory_path() / fmt::format("engram-engine-bench-{}", getpid());
};

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void Row(std::string_view what, std::string_view value) {
  fmt::print("{:<64} {:>16}\n", what, value);
  std::fflush(stdout);
}

// Resident memory of this process.
double ResidentMegabytes() {
  std::ifstream statm("/proc/self/statm");
  size_t total = 0;
  size_t resident = 0;
  statm >> total >> resident;
  return static_cast<double>(resident * static_cast<size_t>(sysconf(_SC_PAGESIZE))) / 1e6;
}

// Zipf-distributed words.
class Texts {
 public:
  explicit Texts(uint64_t seed) : random_(seed) {
    std::vector<double> weights;
    for (size_t rank = 1; rank <= 50'000; ++rank) {
      weights.push_back(1.0 / static_cast<double>(rank));
      std::string word;
      for (size_t letters = 2 + random_() % 7; letters > 0; --letters) {
        word += static_cast<char>('a' + random_() % 26);
      }
      words_.push_back(std::move(word));
    }
    pick_ = std::discrete_distribution<size_t>(weights.begin(), weights.end());
  }

  std::string Content() {
    std::string text;
    while (text.size() < 200) text.append(words_[pick_(random_)]).append(" ");
    return text;
  }

  std::string Query() {
    std::string text;
    for (size_t left = 2 + random_() % 2; left > 0; --left) {
      text.append(words_[pick_(random_)]).append(" ");
    }
    if (random_() % 2 == 0) text.append(words_[random_() % 10]);
    return text;
  }

 private:
  std::mt19937_64 random_;
  std::vector<std::string> words_;
  std::discrete_distribution<size_t> pick_;
};

// Points of Gaussian clusters.
class Points {
 public:
  Points(size_t dimension, uint64_t seed) : dimension_(dimension), random_(seed) {
    for (size_t i = 0; i < 1000; ++i) centres_.push_back(Around(std::vector<float>(dimension), 1));
  }

  std::vector<float> Next() {
    if (dimension_ == 0) return {};
    return Around(centres_[random_() % centres_.size()], 0.3);
  }

 private:
  std::vector<float> Around(const std::vector<float>& centre, double spread) {
    std::normal_distribution<float> offset(
        0, static_cast<float>(spread / std::sqrt(static_cast<double>(dimension_))));
    std::vector<float> point = centre;
    for (float& value : point) value += offset(random_);
    return point;
  }

  size_t dimension_;
  std::mt19937_64 random_;
  std::vector<std::vector<float>> centres_;
};

WallMillis Now() {
  using std::chrono::system_clock;
  return WallMillis{
      std::chrono::duration_cast<std::chrono::milliseconds>(system_clock::now().time_since_epoch())
          .count()};
}

std::unique_ptr<Engine> OpenOrDie(const std::filesystem::path& dir, Durability durability,
                                  size_t exact_vectors_max) {
  EngineOptions options;
  options.dir = dir;
  options.cluster_id = "bench";
  options.node_id = NodeId("n0");
  options.durability = durability;
  options.exact_vectors_max = exact_vectors_max;
  options.wall_clock = Now;
  auto engine = Engine::Open(std::move(options));
  if (!engine.ok()) {
    fmt::print(stderr, "{}\n", engine.status().ToString());
    std::exit(1);
  }
  return *std::move(engine);
}

// Lets so many writes be in flight.
class Window {
 public:
  explicit Window(size_t size) : free_(size), size_(size) {}

  void Enter() { Take(1); }
  void Leave() {
    std::lock_guard lock(mutex_);
    ++free_;
    changed_.notify_one();
  }
  void Drain() {
    Take(size_);
    std::lock_guard lock(mutex_);
    free_ = size_;
  }

 private:
  void Take(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return free_ >= count; });
    free_ -= count;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  size_t free_;
  const size_t size_;
};

// Returns stores per second.
double StoreAll(Engine& engine, size_t count, Texts& texts, Points& points, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<StoreCommand> commands(count);
  for (StoreCommand& command : commands) {
    command.space = SpaceId("bench");
    command.content = texts.Content();
    command.embedding = points.Next();
    command.identity.request_id = Ulid::Make(Now(), random);
    command.create_space = CreateSpace::kYes;
  }
  Window window(64);
  const auto start = Clock::now();
  for (StoreCommand& command : commands) {
    window.Enter();
    engine.Store(std::move(command), [&](const absl::StatusOr<WriteResult>& result) {
      if (!result.ok()) {
        fmt::print(stderr, "{}\n", result.status().ToString());
        std::_Exit(1);
      }
      window.Leave();
    });
  }
  window.Drain();
  return static_cast<double>(count) / SecondsSince(start);
}

std::string Percentiles(std::vector<double> milliseconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  auto at = [&](double share) {
    return milliseconds[static_cast<size_t>(share * static_cast<double>(milliseconds.size() - 1))];
  };
  return fmt::format("{:.2f} / {:.2f} ms", at(0.5), at(0.99));
}

using Answers = std::vector<std::vector<MemoryId>>;

Answers RecallAll(const Engine& engine, std::string_view what,
                  const std::vector<RecallQuery>& queries) {
  std::vector<double> milliseconds;
  Answers answers;
  for (const RecallQuery& query : queries) {
    const auto start = Clock::now();
    auto result = engine.Recall(query);
    milliseconds.push_back(1000 * SecondsSince(start));
    if (!result.ok()) {
      fmt::print(stderr, "{}\n", result.status().ToString());
      std::exit(1);
    }
    auto& ids = answers.emplace_back();
    for (const RecallHit& hit : result->hits) ids.push_back(hit.memory.id);
  }
  if (!what.empty()) Row(what, Percentiles(std::move(milliseconds)));
  return answers;
}

double ShareFound(const Answers& exact, const Answers& found) {
  size_t hits = 0;
  size_t all = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    for (const MemoryId& id : exact[i]) {
      hits += std::count(found[i].begin(), found[i].end(), id) > 0 ? 1u : 0u;
      ++all;
    }
  }
  return static_cast<double>(hits) / static_cast<double>(all);
}

std::vector<RecallQuery> TextQueries(const Settings& settings, Texts& texts) {
  std::vector<RecallQuery> queries(settings.queries);
  for (RecallQuery& query : queries) {
    query.space = SpaceId("bench");
    query.text = texts.Query();
  }
  return queries;
}

std::vector<RecallQuery> VectorQueries(const Settings& settings, Points& points) {
  std::vector<RecallQuery> queries(settings.queries);
  for (RecallQuery& query : queries) {
    query.space = SpaceId("bench");
    query.embedding = points.Next();
  }
  return queries;
}

// How fast writes are made durable, on a part of the data.
void BenchDurability(const Settings& settings, Durability durability, std::string_view name) {
  const std::filesystem::path dir = settings.dir / "durability";
  Texts texts(settings.seed);
  Points points(0, settings.seed);
  auto engine = OpenOrDie(dir, durability, 5000);
  const double rate =
      StoreAll(*engine, std::min<size_t>(settings.memories, 20'000), texts, points, settings.seed);
  Row(fmt::format("stores/s, durability {}, 64 in flight, no embedding", name),
      fmt::format("{:.0f}", rate));
  engine.reset();
  std::filesystem::remove_all(dir);
}

// The same memories are read again and again, so this is a get from the database's cache.
void BenchGet(const Engine& engine, const Answers& answers) {
  std::vector<double> milliseconds;
  for (const std::vector<MemoryId>& ids : answers) {
    for (const MemoryId& id : ids) {
      const auto start = Clock::now();
      if (!engine.Get(SpaceId("bench"), id).ok()) std::exit(1);
      milliseconds.push_back(1000 * SecondsSince(start));
    }
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  Row("get, p50", fmt::format("{:.1f} us", 1000 * milliseconds[milliseconds.size() / 2]));
}

void BenchText(const Settings& settings) {
  fmt::print("\n-- text only: {} memories\n", settings.memories);
  const std::filesystem::path dir = settings.dir / "text";
  Texts texts(settings.seed);
  Points none(0, settings.seed);
  auto engine = OpenOrDie(dir, Durability::kProcess, 5000);
  const double rate = StoreAll(*engine, settings.memories, texts, none, settings.seed);
  Row("stores/s, durability process, 64 in flight", fmt::format("{:.0f}", rate));
  const Answers found = RecallAll(*engine, "text recall, p50 / p99", TextQueries(settings, texts));
  BenchGet(*engine, found);
  engine.reset();

  const auto start = Clock::now();
  engine = OpenOrDie(dir, Durability::kProcess, 5000);
  Row("restart: engine open", fmt::format("{:.2f} s", SecondsSince(start)));
  RecallAll(*engine, "", {TextQueries(settings, texts).front()});
  Row("restart: first recall answered", fmt::format("{:.2f} s", SecondsSince(start)));
  RecallAll(*engine, "text recall after restart, p50 / p99", TextQueries(settings, texts));
  Row("resident memory", fmt::format("{:.0f} MB", ResidentMegabytes()));
  engine.reset();
  std::filesystem::remove_all(dir);
}

void WaitForGraph(const Engine& engine, std::string_view what, Clock::time_point start) {
  while (!engine.BackgroundIdle()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  Row(what, fmt::format("{:.2f} s", SecondsSince(start)));
}

void BenchVectors(const Settings& settings) {
  fmt::print("\n-- with embeddings: {} memories, {} numbers, 1,000 Gaussian clusters\n",
             settings.memories, settings.dimension);
  const std::filesystem::path dir = settings.dir / "vectors";
  Texts texts(settings.seed);
  Points points(settings.dimension, settings.seed + 1);
  const double resident_before = ResidentMegabytes();
  auto engine = OpenOrDie(dir, Durability::kProcess, 5000);
  auto start = Clock::now();
  const double rate = StoreAll(*engine, settings.memories, texts, points, settings.seed);
  Row("stores/s, durability process, 64 in flight", fmt::format("{:.0f}", rate));
  RecallAll(*engine, "vector recall while the graph is built, p50 / p99",
            VectorQueries(settings, points));
  WaitForGraph(*engine, "graph covers everything, after the first store", start);
  engine.reset();

  start = Clock::now();
  engine = OpenOrDie(dir, Durability::kProcess, 5000);
  Row("restart: engine open", fmt::format("{:.2f} s", SecondsSince(start)));
  const std::vector<RecallQuery> queries = VectorQueries(settings, points);
  RecallAll(*engine, "", {queries.front()});
  Row("restart: first recall answered (exact scan)", fmt::format("{:.2f} s", SecondsSince(start)));
  WaitForGraph(*engine, "restart: graph is back", start);
  Row("resident memory, added", fmt::format("{:.0f} MB", ResidentMegabytes() - resident_before));
  const Answers found = RecallAll(*engine, "vector recall by graph, p50 / p99", queries);
  const std::vector<RecallQuery> text_queries = TextQueries(settings, texts);
  RecallAll(*engine, "text recall, p50 / p99", text_queries);
  std::vector<RecallQuery> both = text_queries;
  for (size_t i = 0; i < both.size(); ++i) both[i].embedding = queries[i].embedding;
  RecallAll(*engine, "text and vector recall, p50 / p99", both);
  engine.reset();

  engine = OpenOrDie(dir, Durability::kProcess, SIZE_MAX);
  RecallAll(*engine, "", {queries.front()});
  const Answers exact = RecallAll(*engine, "vector recall by exact scan, p50 / p99", queries);
  Row("recall@10 of the graph against the exact scan",
      fmt::format("{:.4f}", ShareFound(exact, found)));
  engine.reset();
  std::filesystem::remove_all(dir);
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Measures the memory engine alone.");
  app.add_option("--memories", settings.memories, "memories in the space")->capture_default_str();
  app.add_option("--dim", settings.dimension, "numbers of an embedding")->capture_default_str();
  app.add_option("--queries", settings.queries, "queries of each kind")->capture_default_str();
  app.add_option("--seed", settings.seed, "of all generated data")->capture_default_str();
  app.add_option("--dir", settings.dir, "where to work; removed afterwards")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  fmt::print("seed {}, {} threads, in {}\n\n", settings.seed, std::thread::hardware_concurrency(),
             settings.dir.string());
  BenchDurability(settings, Durability::kFsync, "fsync");
  BenchDurability(settings, Durability::kProcess, "process");
  BenchText(settings);
  BenchVectors(settings);
  std::filesystem::remove_all(settings.dir);
  return 0;
}

}  // namespace
}  // namespace engram::memory

int main(int argc, char** argv) { return engram::memory::Main(argc, argv); }
