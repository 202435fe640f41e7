#include "engram/memory/commit_queue.h"

#include <fmt/format.h>

#include "engram/base/error.h"

namespace engram::memory {
namespace {

constexpr size_t kGroupWritesMax = 256;
constexpr size_t kGroupBytesMax = 4u << 20;
// About what a full queue takes to drain.
constexpr auto kRetryAfter = std::chrono::milliseconds(200);

absl::Status Undetermined(const absl::Status& cause) {
  return MakeError(
      ErrorCode::kUndetermined,
      fmt::format("the disk refused the write, which may yet be there after a restart: {}",
                  std::string(cause.message())));
}

absl::Status ReadOnly(const absl::Status& cause) {
  return MakeError(ErrorCode::kStorageFailed,
                   fmt::format("an earlier write failed, so this node takes no more until it is "
                               "restarted; reads go on. The failure was: {}",
                               std::string(cause.message())));
}

}  // namespace

CommitQueue::CommitQueue(CommitQueueOptions options, MakeGroup make_group, Committed committed)
    : options_(options),
      make_group_(std::move(make_group)),
      committed_(std::move(committed)),
      thread_([this] { Run(); }) {}

CommitQueue::~CommitQueue() {
  {
    WriterLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

absl::Status CommitQueue::RoomFor(size_t bytes) const {
  if (queue_.size() < options_.writes_max &&
      (queue_.empty() || queued_bytes_ + bytes <= options_.bytes_max)) {
    return absl::OkStatus();
  }
  ErrorDetail detail;
  detail.code = ErrorCode::kOverloaded;
  detail.retry_after = kRetryAfter;
  return MakeError(
      detail, fmt::format("{} writes of {} bytes wait already, the limits are {} and "
                          "{}",
                          queue_.size(), queued_bytes_, options_.writes_max, options_.bytes_max));
}

absl::Status CommitQueue::CheckRoom() const {
  ReaderLock lock(&mutex_);
  return RoomFor(0);
}

void CommitQueue::Submit(PendingWrite write) {
  absl::Status refused;
  {
    WriterLock lock(&mutex_);
    refused = RoomFor(write.bytes);
    if (refused.ok()) {
      queued_bytes_ += write.bytes;
      queue_.push_back(std::move(write));
      return;
    }
  }
  write.done(std::move(refused));
}

std::vector<PendingWrite> CommitQueue::TakeGroup() {
  WriterLock lock(&mutex_);
  auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || !queue_.empty(); };
  mutex_.Await(absl::Condition(&ready));
  std::vector<PendingWrite> group;
  for (size_t bytes = 0;
       !queue_.empty() && group.size() < kGroupWritesMax && bytes < kGroupBytesMax;) {
    bytes += queue_.front().bytes;
    queued_bytes_ -= queue_.front().bytes;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

void CommitQueue::Run() {
  for (;;) {
    std::vector<PendingWrite> writes = TakeGroup();
    if (writes.empty()) return;
    CommitOne(std::move(writes));
  }
}

void CommitQueue::CommitOne(std::vector<PendingWrite> writes) {
  std::vector<absl::StatusOr<WriteResult>> results;
  results.reserve(writes.size());
  if (failed_.ok()) {
    CommitGroup group = make_group_();
    for (PendingWrite& write : writes) results.push_back(group.Apply(write));
    failed_ = group.Commit(options_.sync);
    if (failed_.ok()) {
      committed_(group);
    } else {
      // Nothing was applied in memory, but the log may have the batch and bring it back at the next
      // start: neither done nor failed.
      results.assign(writes.size(), Undetermined(failed_));
    }
  } else {
    results.assign(writes.size(), ReadOnly(failed_));
  }
  for (size_t i = 0; i < writes.size(); ++i) writes[i].done(std::move(results[i]));
}

}  // namespace engram::memory
