#include "chaos/prober.h"

#include <algorithm>
#include <utility>

#include "engram/client/client.h"

namespace engram::testing {
namespace {

constexpr Duration kTimeout = std::chrono::seconds(10);
constexpr auto kPause = std::chrono::milliseconds(5);

}  // namespace

Prober::Prober(OperationKind kind, SpaceId space, Asker& asker)
    : kind_(kind), space_(std::move(space)), asker_(asker) {
  for (size_t client = 0; client < kClients; ++client) {
    clients_.emplace_back([this, client] { Run(client); });
  }
}

Prober::~Prober() {
  stop_ = true;
  for (std::thread& client : clients_) client.join();
}

Operation Prober::NewOperation() const {
  Operation op;
  op.kind = kind_;
  op.space = space_;
  op.id = MemoryId(kRead);
  if (kind_ == OperationKind::kGet) return op;
  op.request = client::NewRequestId().ToString();
  op.id = MemoryId(op.request);
  op.revisions = {{"v" + op.request, {}}};
  return op;
}

void Prober::Run(size_t client) {
  for (size_t turn = client; !stop_; ++turn) {
    const size_t entry = turn % asker_.size();
    if (static_cast<int>(entry) == left_out_) continue;
    const Operation told = asker_.Ask(NewOperation(), {.entry = entry, .timeout = kTimeout});
    const bool found = kind_ == OperationKind::kStore ? !told.flagged : !told.revisions.empty();
    if (told.outcome == Outcome::kOk && found) {
      const WriterLock lock(&mutex_);
      worked_.push_back(net::EventLoop::Now());
    }
    std::this_thread::sleep_for(kPause);
  }
}

bool Prober::HasWorkedSince(TimePoint time) const {
  const WriterLock lock(&mutex_);
  return !worked_.empty() && worked_.back() > time;
}

Duration Prober::LongestGapSince(TimePoint from) const {
  const WriterLock lock(&mutex_);
  Duration longest{};
  TimePoint last = from;
  for (auto at = std::upper_bound(worked_.begin(), worked_.end(), from); at != worked_.end();
       ++at) {
    longest = std::max(longest, *at - last);
    last = *at;
  }
  return std::max(longest, net::EventLoop::Now() - last);
}

}  // namespace engram::testing
