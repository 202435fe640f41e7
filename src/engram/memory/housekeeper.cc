#include "engram/memory/housekeeper.h"

#include "engram/memory/keys.h"

namespace engram::memory {
namespace {

using std::chrono::milliseconds;

// A quarter more is let grow before it is cut back: a range deletion costs every later scan a
// little.
constexpr uint64_t kSlackPart = 4;

// A request is checked for its age when it is queued and looked up when it is committed; its memory
// must last until then.
constexpr std::chrono::minutes kGrace{1};

int64_t InMillis(Duration duration) {
  return std::chrono::duration_cast<milliseconds>(duration).count();
}

}  // namespace

void Housekeeper::Tidy(const SpaceId& space, const SpaceRecord& record, WallMillis now) {
  Done& done = done_.try_emplace(space.value()).first->second;
  TrimLog(space, record.last, done);
  ExpireRequests(space, now, done);
}

void Housekeeper::TrimLog(const SpaceId& space, const Version& last, Done& done) {
  const uint64_t kept = options_.log_entries_max;
  if (last.sequence - done.log_trimmed_to <= kept + kept / kSlackPart) return;
  Version begin = last;
  Version end = last;
  begin.sequence = done.log_trimmed_to;
  end.sequence = last.sequence - kept + 1;
  absl::Status trimmed =
      database_.DeleteRange(storage::Family::kLog, LogKey(space, begin), LogKey(space, end));
  if (trimmed.ok()) done.log_trimmed_to = end.sequence;
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
