#include "engram/memory/space_state.h"

#include "engram/memory/index_loader.h"

namespace engram::memory {

SpaceState::SpaceState(SpaceId id, SpaceRecord record, replication::SpaceLog log, Stored stored)
    : id_(std::move(id)), record_(std::move(record)), log_(std::move(log)) {
  if (stored == Stored::kNothing) index_ = std::make_unique<SpaceIndex>();
}

SpaceRecord SpaceState::record() const {
  ReaderLock lock(&mutex_);
  return record_;
}

replication::SpaceLog SpaceState::log() const {
  ReaderLock lock(&mutex_);
  return log_;
}

bool SpaceState::HasChanges() const {
  ReaderLock lock(&mutex_);
  return log_.last().sequence > 0 || log_.outbox_entries > 0;
}

void SpaceState::Publish(const SpaceRecord& record, const replication::SpaceLog& log,
                         const std::vector<IndexChange>& changes) {
  WriterLock lock(&mutex_);
  record_ = record;
  log_ = log;
  if (index_ != nullptr) {
    index_->SetDimension(record.dimension);
    for (const IndexChange& change : changes) index_->Apply(change);
  }
  if (loading_) missed_.insert(missed_.end(), changes.begin(), changes.end());
}

absl::Status SpaceState::EnsureLoaded(const storage::Database& database) {
  {
    ReaderLock lock(&mutex_);
    if (index_ != nullptr) return absl::OkStatus();
  }
  {
    WriterLock lock(&mutex_);
    auto settled = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !loading_; };
    mutex_.Await(absl::Condition(&settled));
    if (index_ != nullptr) return absl::OkStatus();
    loading_ = true;
  }
  return Load(database);
}

absl::Status SpaceState::Reload(const storage::Database& database) {
  {
    WriterLock lock(&mutex_);
    if (loading_) return absl::OkStatus();
    loading_ = true;
  }
  return Load(database);
}

// Every change is in the database before Publish is called with it. So what the scan below does not
// see is published later than `loading_` was set, and is in `missed_`; what is in both is applied
// twice, which changes nothing.
absl::Status SpaceState::Load(const storage::Database& database) {
  auto index = std::make_unique<SpaceIndex>();
  index->SetDimension(record().dimension);
  absl::Status loaded = LoadIndex(database, id_, *index);

  WriterLock lock(&mutex_);
  if (loaded.ok()) {
    index->SetDimension(record_.dimension);
    for (const IndexChange& change : missed_) index->Apply(change);
    index_ = std::move(index);
  }
  missed_.clear();
  missed_.shrink_to_fit();
  loading_ = false;
  return loaded;
}

void SpaceState::Read(absl::FunctionRef<void(const SpaceIndex&)> read) const {
  ReaderLock lock(&mutex_);
  read(*index_);
}

bool SpaceState::NeedsCare(size_t exact_vectors_max) const {
  ReaderLock lock(&mutex_);
  if (index_ == nullptr) return false;
  const VectorIndex& vectors = index_->vectors();
  const size_t covered = vectors.graph() == nullptr ? 0 : vectors.graph()->rows();
  return index_->Wasteful() || (vectors.rows() > exact_vectors_max && covered < vectors.rows());
}

void SpaceState::SetGraph(std::shared_ptr<VectorGraph> graph) {
  WriterLock lock(&mutex_);
  if (graph->dimension() != index_->vectors().dimension()) return;  // it has changed meanwhile
  index_->vectors().SetGraph(std::move(graph));
}

}  // namespace engram::memory
