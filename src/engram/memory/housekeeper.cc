#include "engram/memory/housekeeper.h"

#include <algorithm>

#include "engram/memory/keys.h"

namespace engram::memory {
namespace {

using replication::EpochHistory;
using replication::SpaceLog;
using std::chrono::milliseconds;

// A quarter more is let grow before it is cut back: a range deletion costs every later scan a
// little.
constexpr uint64_t kSlackPart = 4;

// A request is checked for its age when it is queued and looked up when it is committed; its memory
// must last until then.
constexpr std::chrono::minutes kGrace{1};

// Of a log that begins with the first entry of its first epoch, trimmed or not.
uint64_t Entries(const EpochHistory& history) {
  uint64_t entries = 0;
  for (const Version& row : history.rows()) entries += row.sequence;
  return entries;
}

uint64_t EntriesUpTo(const EpochHistory& history, const Version& position) {
  uint64_t entries = position.sequence;
  for (const Version& row : history.rows()) {
    if (row.epoch < position.epoch) entries += row.sequence;
  }
  return entries;
}

// Of the entry that has `before` entries before it; past the end, of the next one of the last
// epoch.
Version PositionAt(const EpochHistory& history, uint64_t before) {
  Version position;
  for (const Version& row : history.rows()) {
    position = {row.epoch, before + 1};
    if (before < row.sequence) return position;
    before -= row.sequence;
  }
  return {history.last().epoch, history.last().sequence + 1};
}

int64_t InMillis(Duration duration) {
  return std::chrono::duration_cast<milliseconds>(duration).count();
}

}  // namespace

void Housekeeper::Tidy(const SpaceId& space, const SpaceLog& log, WallMillis now) {
  Done& done = done_.try_emplace(space.value()).first->second;
  TrimLog(space, log, done);
  ExpireRequests(space, now, done);
}

void Housekeeper::AllowTrim(const SpaceId& space, const Version& position) {
  WriterLock lock(&mutex_);
  Version& held = may_trim_.try_emplace(space.value()).first->second;
  held = std::max(held, position);
}

Version Housekeeper::MayTrimTo(const SpaceId& space, const SpaceLog& log) const {
  if (log.holders.size() == 1 && log.holders.front() == self_) return log.last();
  ReaderLock lock(&mutex_);
  auto found = may_trim_.find(space.view());
  return found == may_trim_.end() ? Version() : found->second;
}

void Housekeeper::TrimLog(const SpaceId& space, const SpaceLog& log, Done& done) {
  const uint64_t kept = options_.log_entries_max;
  const uint64_t entries = Entries(log.history);
  if (entries < done.log_trimmed) done = Done();  // a tail was cut off
  if (entries - done.log_trimmed <= kept + kept / kSlackPart) return;
  const Version allowed = MayTrimTo(space, log);
  if (!log.history.Contains(allowed)) return;
  const uint64_t trimmed = std::min(entries - kept, EntriesUpTo(log.history, allowed));
  if (trimmed <= done.log_trimmed) return;
  const Version end = PositionAt(log.history, trimmed);
  // Of another history, which has taken the place of this one, it says nothing.
  const bool known = done.log_trimmed > 0 && done.log_trimmed_to < end;
  const std::string begin = known ? LogKey(space, done.log_trimmed_to) : SpacePrefix(space.view());
  absl::Status dropped = database_.DeleteRange(storage::Family::kLog, begin, LogKey(space, end));
  if (!dropped.ok()) return;
  done.log_trimmed_to = end;
  done.log_trimmed = trimmed;
}

void Housekeeper::ExpireRequests(const SpaceId& space, WallMillis now, Done& done) {
  const int64_t ttl = InMillis(options_.request_id_ttl);
  const WallMillis end{ToInt(now) - ttl - InMillis(kGrace)};
  if (ToInt(end) - ToInt(done.expired_to) <= ttl / static_cast<int64_t>(kSlackPart)) return;
  absl::Status expired =
      database_.DeleteRange(storage::Family::kRequests, RequestTimeKey(space, done.expired_to),
                            RequestTimeKey(space, end));
  if (expired.ok()) done.expired_to = end;
}

}  // namespace engram::memory
