// The clients of a simulated cluster: they store, edit, forget, link and get memories of one space,
// at any node, and try again under the same request id until they know what came of it. Everything
// is recorded for the checker; links are not, which it does not know, and are judged here.
//
// Owned by its cluster; not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "simulation/replicated_store.h"
#include "support/history.h"

namespace engram::simulation {

class ReplicatedCluster;

class ReplicatedClients {
 public:
  explicit ReplicatedClients(ReplicatedCluster& cluster) : cluster_(cluster) {}

  // Stores the memories that links go from, and waits for them: another store of one would take
  // away the links that it has seen.
  void Prepare();
  // One of them does something, now.
  void DoSomething();
  // No answer counts any more, and nothing is tried again.
  void Stop() { stopped_ = true; }

  testing::History& history() { return history_; }
  // Whether all acknowledged links are there.
  std::vector<std::string> MissingLinks(const ReplicatedStore& store) const;

 private:
  // One request, which may take several tries.
  struct Request {
    testing::Operation operation;  // as it begins
    SimWrite write;
    size_t tries_left = 0;
    bool recorded = true;  // by the checker's rules
  };
  // One try of it, until the client has heard or given up.
  struct Call {
    Request request;
    testing::Operation operation;
    size_t record = 0;  // where it stands in the history
    size_t node = 0;
    bool open = true;
  };
  using CallPtr = std::shared_ptr<Call>;

  void Ask(testing::OperationKind kind, MemoryId id, testing::AckLevel ack);
  void Link();
  void Put(SimWrite::Kind kind, MemoryId id, std::string value, testing::AckLevel ack,
           bool recorded);
  void Try(Request request);
  size_t ChooseNode();
  Duration Way();
  void Arrive(const CallPtr& call);
  void ArriveWrite(const CallPtr& call);
  void ArriveGet(const CallPtr& call);
  void OnWritten(const CallPtr& call, const absl::StatusOr<SimWritten>& written);
  // The answer takes a while, and may be lost.
  void Answer(const CallPtr& call, testing::Outcome outcome);
  void Finish(const CallPtr& call, testing::Outcome outcome);
  void TryAgain(const Request& request);
  std::string NewRequestId();
  MemoryId SomeMemory();

  ReplicatedCluster& cluster_;
  testing::History history_;
  std::map<std::string, std::set<std::string>> links_;  // acknowledged: from, to
  size_t named_ = 0;
  bool stopped_ = false;
};

}  // namespace engram::simulation
