// What the commands of replication::LogPort do to a space: its log, its outbox, and the memories.
//
// For the commit thread only.
#pragma once

#include "engram/memory/apply.h"
#include "engram/memory/log_command.h"

namespace engram::memory {

struct LogContext {
  ApplyContext apply;
  const NodeId& self;
  WallMillis now;
  // Set once something was changed: an error after that, of the disk, leaves the group unfit to be
  // written.
  bool& begun;
};

// Whether `self` takes writes into the main log: it is primary, and the epoch has its first entry.
bool InOffice(const replication::SpaceLog& log, const NodeId& self);

// kWrongNode if the log refuses; nothing has changed then.
[[nodiscard]] absl::Status ApplyCommand(const LogContext& context, const BindCommand& bind);
[[nodiscard]] absl::Status ApplyCommand(const LogContext& context, const TakeOfficeCommand& office);
[[nodiscard]] absl::Status ApplyCommand(const LogContext& context, const FollowCommand& follow);
[[nodiscard]] absl::Status ApplyCommand(const LogContext& context, AppendCommand& append);
[[nodiscard]] absl::Status ApplyCommand(const LogContext& context, MergeCommand& merge);
[[nodiscard]] absl::Status ApplyCommand(const LogContext& context, const CollectCommand& collect);
[[nodiscard]] absl::Status ApplyCommand(const LogContext& context, const RestartCommand& restart);
[[nodiscard]] absl::Status ApplyCommand(const LogContext& context, InstallCommand& install);
[[nodiscard]] absl::Status ApplyCommand(const LogContext& context, const CompleteCommand& complete);

// --- parts of commands

// The log is of no use any more: all of it goes, but for what the holder is bound to and the
// outbox.
void ForgetLog(const LogContext& context);

// What the log covers leaves the outbox.
[[nodiscard]] absl::Status DropMerged(const LogContext& context);

}  // namespace engram::memory
