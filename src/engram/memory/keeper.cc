#include "engram/memory/keeper.h"

#include <algorithm>
#include <vector>

namespace engram::memory {
namespace {

// Rows that are copied out of an index under its lock at a time.
constexpr size_t kRowsPerStep = 256;

struct GraphStep {
  std::shared_ptr<VectorGraph> published;
  size_t dimension = 0;
  size_t all_rows = 0;
  bool wasteful = false;
  std::vector<float> rows;  // copied, from the first asked for
};

GraphStep Look(const SpaceState& space, const VectorGraph* growing) {
  GraphStep step;
  space.Read([&](const SpaceIndex& index) {
    const VectorIndex& vectors = index.vectors();
    step.published = vectors.graph();
    step.dimension = vectors.dimension();
    step.all_rows = vectors.rows();
    step.wasteful = index.Wasteful();
    if (growing == nullptr) growing = step.published.get();
    const size_t begin = growing == nullptr ? 0 : growing->rows();
    // The space's dimension has changed: the index is loaded anew, and visited then.
    if (growing != nullptr && growing->dimension() != vectors.dimension()) return;
    auto rows = vectors.Rows(begin, std::min(kRowsPerStep, vectors.rows() - begin));
    step.rows.assign(rows.begin(), rows.end());
  });
  return step;
}

}  // namespace

Keeper::Keeper(const storage::Database& database, size_t exact_vectors_max)
    : database_(database), exact_vectors_max_(exact_vectors_max), thread_([this] { Run(); }) {}

Keeper::~Keeper() {
  {
    WriterLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void Keeper::Visit(std::shared_ptr<SpaceState> space) {
  WriterLock lock(&mutex_);
  if (queued_.insert(space.get()).second) queue_.push_back(std::move(space));
}

bool Keeper::Idle() const {
  WriterLock lock(&mutex_);
  return !busy_ && queue_.empty();
}

bool Keeper::stopping() const {
  ReaderLock lock(&mutex_);
  return stopping_;
}

std::shared_ptr<SpaceState> Keeper::Next() {
  WriterLock lock(&mutex_);
  busy_ = false;
  auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || !queue_.empty(); };
  mutex_.Await(absl::Condition(&ready));
  if (stopping_) return nullptr;
  std::shared_ptr<SpaceState> space = std::move(queue_.front());
  queue_.pop_front();
  queued_.erase(space.get());
  busy_ = true;
  return space;
}

void Keeper::Run() {
  while (std::shared_ptr<SpaceState> space = Next()) LookAfter(*space);
}

void Keeper::LookAfter(SpaceState& space) {
  // A space that cannot be read is left alone: its recalls say why.
  if (!space.EnsureLoaded(database_).ok()) return;
  if (Look(space, nullptr).wasteful && !space.Reload(database_).ok()) return;
  if (space.NeedsCare(exact_vectors_max_)) GrowGraph(space);
}

// A space's first graph is built apart and published when it has caught up; from then on the
// published one grows in place, one row per lock.
void Keeper::GrowGraph(SpaceState& space) {
  std::shared_ptr<VectorGraph> graph;
  for (;;) {
    GraphStep step = Look(space, graph.get());
    if (graph == nullptr) graph = step.published;
    if (graph == nullptr) graph = std::make_shared<VectorGraph>(step.dimension, step.all_rows);
    if (step.rows.empty()) {
      if (step.published != graph) space.SetGraph(graph);
      return;
    }
    for (size_t at = 0; at < step.rows.size() && !stopping(); at += step.dimension) {
      graph->Add(std::span(step.rows).subspan(at, step.dimension));
    }
    if (stopping()) return;
  }
}

}  // namespace engram::memory
