// The commands of replication::LogPort on their way to the commit thread: what they carry is
// decoded, and its text analysed, in their caller. Move-only values.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engram/memory/copy_piece.h"
#include "engram/memory/records.h"
#include "engram/replication/log_port.h"

namespace engram::memory {

// An entry of another node's log or outbox.
struct ReceivedEntry {
  LogEntry entry;
  AnalyzedText text;      // of a store
  std::string bytes;      // as received
  Version position;       // of the main log; the default for a change of an outbox
  uint64_t previous = 0;  // replication::Change's
};

struct BindCommand {
  replication::HolderState state;
  std::vector<NodeId> holders;
};
struct TakeOfficeCommand {
  Epoch epoch;
};
struct FollowCommand {
  Epoch epoch;
  replication::EpochHistory history;
};
struct AppendCommand {
  Epoch epoch;
  Version previous;
  std::vector<ReceivedEntry> entries;
};
struct MergeCommand {
  Epoch epoch;
  std::vector<ReceivedEntry> changes;
};

struct CollectCommand {
  Epoch epoch;
  std::vector<replication::Tombstone> tombstones;
};

struct RestartCommand {
  Epoch epoch;
  replication::LogBase base;
  SpaceRecord totals;  // base's, decoded
};
struct InstallCommand {
  Epoch epoch;
  replication::CopyPiece piece;
  // Its items: of memories, the bytes are the piece's.
  std::vector<std::pair<MemoryId, std::string_view>> memories;
  std::vector<RequestItem> requests;
};
struct CompleteCommand {
  Epoch epoch;
  bool settled;
};

struct LogCommand {
  SpaceId space;
  std::variant<BindCommand, TakeOfficeCommand, FollowCommand, AppendCommand, MergeCommand,
               CollectCommand, RestartCommand, InstallCommand, CompleteCommand>
      what;
};

struct PendingCommand {
  LogCommand command;
  replication::LogPort::Done done;
  size_t bytes = 0;  // about what it holds in memory
};

}  // namespace engram::memory
