#include "engram/cluster/seed_list.h"

#include <algorithm>
#include <utility>

namespace engram::cluster {
namespace {

bool Contains(const std::vector<std::string>& addresses, const std::string& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

}  // namespace

SeedList::SeedList(const std::vector<Seed>& seeds, const std::vector<Seed>& own, Duration refresh,
                   TimePoint now)
    : refresh_(refresh) {
  for (const Seed& seed : seeds) {
    const bool is_own = std::find(own.begin(), own.end(), seed) != own.end();
    if (!is_own) Add(seed, false, now);
  }
  for (const Seed& seed : own) Add(seed, true, now);
  Rebuild();
}

void SeedList::Add(const Seed& seed, bool own, TimePoint now) {
  Entry entry;
  if (seed.kind == Seed::Kind::kAddress) {
    entry.addresses = {seed.Text()};
    entry.settled = true;
  } else {
    entry.due = now;
    ++unsettled_;
  }
  entry.seed = seed;
  entry.own = own;
  entries_.push_back(std::move(entry));
}

std::vector<size_t> SeedList::TakeDue(TimePoint now) {
  std::vector<size_t> due;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].due > now) continue;
    entries_[i].due = kNever;
    due.push_back(i);
  }
  return due;
}

TimePoint SeedList::NextWake() const {
  TimePoint next = kNever;
  for (const Entry& entry : entries_) next = std::min(next, entry.due);
  return next;
}

SeedList::Outcome SeedList::OnAnswer(size_t index,
                                     const absl::StatusOr<std::vector<std::string>>& answer,
                                     TimePoint now) {
  Entry& entry = entries_[index];
  Outcome outcome;
  outcome.health_changed = entry.failing == answer.ok();
  entry.failing = !answer.ok();
  if (!std::exchange(entry.settled, true)) --unsettled_;
  if (answer.ok()) {
    entry.addresses = *answer;
    entry.retry = kFirstRetry;
  }
  const bool soon = entry.failing && entry.addresses.empty();
  entry.due = now + (soon ? std::min(entry.retry, refresh_) : refresh_);
  if (soon) entry.retry = std::min(2 * entry.retry, refresh_);
  outcome.list_changed = Rebuild();
  return outcome;
}

bool SeedList::IsOwn(const std::string& address) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.own && Contains(entry.addresses, address);
  });
}

bool SeedList::Rebuild() {
  std::vector<std::string> addresses;
  for (const Entry& entry : entries_) {
    if (entry.own) continue;
    for (const std::string& address : entry.addresses) {
      if (addresses.size() == kAddressesMax) break;
      if (!Contains(addresses, address) && !IsOwn(address)) addresses.push_back(address);
    }
  }
  if (addresses == addresses_) return false;
  addresses_ = std::move(addresses);
  return true;
}

}  // namespace engram::cluster
