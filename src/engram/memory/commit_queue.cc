#include "engram/memory/commit_queue.h"

#include <fmt/format.h>

#include "engram/base/error.h"

namespace engram::memory {
namespace {

constexpr size_t kGroupWritesMax = 256;
constexpr size_t kGroupBytesMax = 4u << 20;
// About what a full queue takes to drain.
constexpr auto kRetryAfter = std::chrono::milliseconds(200);

size_t BytesOf(const Pending& pending) {
  return std::visit([](const auto& waiting) { return waiting.bytes; }, pending);
}

}  // namespace

CommitQueue::CommitQueue(CommitQueueOptions options, Commit commit)
    : options_(options), commit_(std::move(commit)), thread_([this] { Run(); }) {}

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

void CommitQueue::Submit(Pending pending) {
  absl::Status refused;
  {
    WriterLock lock(&mutex_);
    const size_t bytes = BytesOf(pending);
    refused = RoomFor(bytes);
    if (refused.ok()) {
      queued_bytes_ += bytes;
      queue_.push_back(std::move(pending));
      return;
    }
  }
  std::visit([&](auto& waiting) { waiting.done(std::move(refused)); }, pending);
}

std::vector<Pending> CommitQueue::TakeGroup() {
  WriterLock lock(&mutex_);
  auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || !queue_.empty(); };
  mutex_.Await(absl::Condition(&ready));
  std::vector<Pending> group;
  for (size_t bytes = 0;
       !queue_.empty() && group.size() < kGroupWritesMax && bytes < kGroupBytesMax;) {
    bytes += BytesOf(queue_.front());
    queued_bytes_ -= BytesOf(queue_.front());
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

void CommitQueue::Run() {
  for (;;) {
    std::vector<Pending> group = TakeGroup();
    if (group.empty()) return;
    commit_(std::move(group));
  }
}

}  // namespace engram::memory
