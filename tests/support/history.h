// What a run of a cluster did, as its clients saw it, and what every copy held at the end: what the
// checker (checker.h) judges. The simulator and chaos write histories; nothing here knows of them.
//
// Rules for who records:
// - `ok` and `fail` are certain: `fail` means that it has not happened and never will. Everything
//   else (time-out, lost connection, Undetermined) is `unknown`: it may happen at any time later.
// - The value of a store is written by no other request (its request id in it is enough).
// - Only recorded clients change the recorded memories: no links, no consolidation.
// - Times are of one monotonic clock.
// - Copies are recorded when the cluster is healed, idle and quiet; every holder in the assignment
//   has one, be it empty.
//
// The file is text, one entry a line, words separated by one space, "-" for none; a byte that would
// be mistaken is written as %XX. The first line is "engram-history 1", the last "end LINES".
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engram/base/mutex.h"
#include "engram/base/strong_id.h"
#include "engram/base/time.h"
#include "engram/base/version.h"

namespace engram::testing {

enum class OperationKind : uint8_t { kStore, kForget, kGet };
enum class Outcome : uint8_t { kOk, kFail, kUnknown };
enum class AckLevel : uint8_t { kPrimary, kQuorum, kAll };

// One of the contents of a memory: the current one or a sibling.
struct Revision {
  std::string value;
  Version version;  // its own place in the log; a counter of 0: not known
  friend bool operator==(const Revision&, const Revision&) = default;
};

// What one client asked once. The tries of a client under one request id are several operations;
// tries of the entry node are not seen here.
struct Operation {
  size_t line = 0;  // where it stands in the file, counted from 1; set by the reader
  OperationKind kind = OperationKind::kGet;
  Outcome outcome = Outcome::kUnknown;
  AckLevel ack = AckLevel::kPrimary;
  bool flagged = false;  // the answer said that it is degraded, stale or partial
  // The answer said that this very try took effect, not one before it under the same request id.
  // Where the owner does not say so: false.
  bool first_effect = false;
  std::string client;
  std::string request;
  SpaceId space;
  MemoryId id;  // may be empty when no answer told it
  TimePoint begin;
  std::optional<TimePoint> end;  // when the answer came; none: no answer
  std::optional<TimePoint> deadline;
  NodeId served_by;
  // Of a write: the place of its effect. Of a get: how far the holder's log was. A counter of 0:
  // not known.
  Version version;
  Version token;  // what a get asked for at least (session token)
  int hops = 0;   // of the entry node, to others; -1: not known
  // Of a store: the one value. Of a get: what was found, the current one first.
  std::vector<Revision> revisions;

  friend bool operator==(const Operation&, const Operation&) = default;
};

// One memory in one copy, at the end. Deleted ones may be left out or have no revisions.
struct Held {
  size_t line = 0;
  SpaceId space;
  NodeId node;
  MemoryId id;
  std::vector<Revision> revisions;  // the current one first
  friend bool operator==(const Held&, const Held&) = default;
};

struct Copy {
  size_t line = 0;
  SpaceId space;
  NodeId node;
  friend bool operator==(const Copy&, const Copy&) = default;
};

// A disk that came back empty or not at all.
struct LostDisk {
  size_t line = 0;
  NodeId node;
  friend bool operator==(const LostDisk&, const LostDisk&) = default;
};

// From `begin` to `end` all nodes were connected, alive and known to be, none was overloaded.
struct Calm {
  size_t line = 0;
  TimePoint begin;
  TimePoint end;
  friend bool operator==(const Calm&, const Calm&) = default;
};

struct History {
  std::vector<Operation> operations;
  std::vector<Copy> copies;
  std::vector<Held> held;
  std::vector<LostDisk> lost_disks;
  std::vector<Calm> calm;
};

// Writes a history as it happens. Thread-safe; the order of lines means nothing. Does not own the
// stream, which must outlive it and not be used beside it.
class HistoryWriter {
 public:
  explicit HistoryWriter(std::ostream& out);
  HistoryWriter(const HistoryWriter&) = delete;
  HistoryWriter& operator=(const HistoryWriter&) = delete;

  void Write(const Operation& operation);
  void Write(const Copy& copy);
  void Write(const Held& held);
  void Write(const LostDisk& lost);
  void Write(const Calm& calm);
  void Write(const History& history);

  // Writes the last line, without which no reader takes the history. To be called once, last.
  // Fails with kStorageFailed when the stream has failed.
  [[nodiscard]] absl::Status Finish();

 private:
  void WriteLine(const std::string& line);

  Mutex mutex_;
  std::ostream& out_ ABSL_GUARDED_BY(mutex_);
  size_t lines_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Reads a history to its end. Errors: kInvalidArgument, naming the line and the field.
[[nodiscard]] absl::StatusOr<History> ReadHistory(std::istream& in);

}  // namespace engram::testing
