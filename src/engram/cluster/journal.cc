#include "engram/cluster/journal.h"

#include <spdlog/spdlog.h>

#include <iterator>
#include <utility>

namespace engram::cluster {

Journal::Journal(ClusterStore& store) : store_(store), thread_([this] { Run(); }) {}

Journal::~Journal() {
  {
    WriterLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void Journal::SaveIncarnation(membership::Incarnation incarnation) {
  WriterLock lock(&mutex_);
  pending_.incarnation = incarnation;
}

void Journal::SaveMembers(std::string state) {
  WriterLock lock(&mutex_);
  pending_.members = std::move(state);
}

void Journal::SaveAssignments(std::vector<placement::Assignment> changed) {
  WriterLock lock(&mutex_);
  std::move(changed.begin(), changed.end(), std::back_inserter(pending_.assignments));
}

void Journal::Run() {
  while (true) {
    Pending pending;
    {
      WriterLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &Journal::HasWork));
      if (pending_.empty()) return;  // stopping
      pending = std::exchange(pending_, {});
    }
    const absl::Status status = Write(pending);
    if (!status.ok() && !failing_) {
      spdlog::error("event=journal_failed what is known of the cluster is not kept: {}",
                    std::string(status.message()));
    }
    failing_ = !status.ok();
  }
}

absl::Status Journal::Write(const Pending& pending) {
  absl::Status status;
  if (pending.incarnation.has_value()) status.Update(store_.SaveIncarnation(*pending.incarnation));
  if (pending.members.has_value()) status.Update(store_.SaveMembers(*pending.members));
  if (!pending.assignments.empty()) status.Update(store_.SaveAssignments(pending.assignments));
  return status;
}

}  // namespace engram::cluster
