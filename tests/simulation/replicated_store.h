// The store of one simulated node: what it logs, holds and shows of the one space there is, on a
// disk that can fail. Made anew over its disk when the node restarts.
//
// Nothing in it runs by itself: commands and writes wait until Commit carries some of them out in
// one batch, which is durable when Commit returns. What came of it is told later, when the node
// comes to it; a crash between the two is the worst moment there is.
//
// Owned by its node; not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engram/base/time.h"
#include "engram/replication/log_port.h"
#include "support/history.h"

namespace engram::simulation {

struct SimWrite {
  enum class Kind : uint8_t { kStore, kForget, kLink };

  Kind kind = Kind::kStore;
  MemoryId id;
  std::string value;        // of a store: the content; of a link: the target
  std::string request;      // its id
  bool may_branch = false;  // logged beside the main log where this node is not primary
};

struct SimWritten {
  Version origin;
  bool branch = false;
  bool repeated = false;  // it took effect before, under the same request id
};

class ReplicatedStore : public replication::LogPort {
 public:
  using WriteDone = std::function<void(const absl::StatusOr<SimWritten>&)>;

  // Queued with the commands. kWrongNode if this node may not take it.
  virtual void Write(SimWrite write, WriteDone done) = 0;
  virtual bool HasWork() const = 0;
  // One batch of at most `max` of what waits. What is to be told is returned, in order.
  virtual std::vector<std::function<void()>> Commit(size_t max, WallMillis now) = 0;

  // What a get shows: the current content first, then its siblings. Empty: not there.
  virtual std::vector<testing::Revision> Get(const MemoryId& id) const = 0;
  virtual std::vector<MemoryId> List() const = 0;  // living ones
  virtual std::vector<std::string> Targets(const MemoryId& id) const = 0;
  virtual size_t CountTombstones() const = 0;
  // Of everything that must be equal in all copies.
  virtual std::string Digest() const = 0;
};

// Outlives the stores that are opened on it, one at a time.
class SimDisk {
 public:
  virtual ~SimDisk() = default;

  // `holders`: in the ring's order; for a space of which nothing is known yet.
  virtual std::unique_ptr<ReplicatedStore> Open(const NodeId& self,
                                                const std::vector<NodeId>& holders) = 0;
  // The power failed. REQUIRES: no store is open.
  virtual void Crash() = 0;
  // Writes fail from now on; the first that does may be found when the disk is opened again.
  virtual void FailWrites(absl::Status error) = 0;
  virtual void AllowWrites() = 0;
};

}  // namespace engram::simulation
