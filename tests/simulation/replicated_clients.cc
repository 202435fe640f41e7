#include "simulation/replicated_clients.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engram/base/error.h"
#include "engram/base/ulid.h"
#include "simulation/replicated_cluster.h"

namespace engram::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AckLevel;
using testing::Operation;
using testing::OperationKind;
using testing::Outcome;

constexpr size_t kMemories = 6;  // that all clients edit
constexpr size_t kLinked = 2;
constexpr size_t kTries = 6;
constexpr Duration kDeadline = seconds(4);
constexpr double kLostAnswers = 0.05;

MemoryId Linked(size_t i) { return MemoryId("l" + std::to_string(i)); }

SimWrite::Kind KindOf(OperationKind kind) {
  return kind == OperationKind::kForget ? SimWrite::Kind::kForget : SimWrite::Kind::kStore;
}

// What failed for certain, as opposed to what may have happened.
bool IsRefusal(const absl::Status& status) {
  const ErrorCode code = CodeOf(status);
  return code == ErrorCode::kWrongNode || code == ErrorCode::kNotFound;
}

}  // namespace

std::string ReplicatedClients::NewRequestId() {
  ++named_;
  return Ulid::Make(cluster_.WallTime(), cluster_.random_).ToString();
}

MemoryId ReplicatedClients::SomeMemory() {
  if (cluster_.Below(4) == 0) return MemoryId("n" + std::to_string(++named_));
  return MemoryId("m" + std::to_string(cluster_.Below(kMemories)));
}

void ReplicatedClients::Prepare() {
  for (size_t i = 0; i < kLinked; ++i) {
    while (cluster_.node(0).store().Get(Linked(i)).empty()) {
      Put(SimWrite::Kind::kStore, Linked(i), "linked", AckLevel::kPrimary, false);
      cluster_.RunFor(seconds(30));  // until it is tried no more
    }
  }
}

void ReplicatedClients::DoSomething() {
  const AckLevel ack = cluster_.Below(3) == 0 ? AckLevel::kQuorum : AckLevel::kPrimary;
  const size_t any = cluster_.Below(20);
  if (any < 8) return Ask(OperationKind::kStore, SomeMemory(), ack);
  if (any < 10) return Ask(OperationKind::kForget, SomeMemory(), ack);
  if (any < 12) return Link();
  Ask(OperationKind::kGet, SomeMemory(), ack);
}

void ReplicatedClients::Ask(OperationKind kind, MemoryId id, AckLevel ack) {
  if (kind != OperationKind::kGet) {
    const std::string value =
        kind == OperationKind::kStore ? "v" + std::to_string(++named_) : std::string();
    return Put(KindOf(kind), std::move(id), value, ack, true);
  }
  Request request;
  request.operation.kind = kind;
  request.operation.id = std::move(id);
  request.tries_left = 1;
  Try(std::move(request));
}

void ReplicatedClients::Link() {
  Put(SimWrite::Kind::kLink, Linked(cluster_.Below(kLinked)),
      "lt" + std::to_string(cluster_.Below(2) == 0 ? ++named_ : cluster_.Below(4)),
      AckLevel::kPrimary, false);
}

void ReplicatedClients::Put(SimWrite::Kind kind, MemoryId id, std::string value, AckLevel ack,
                            bool recorded) {
  Request request;
  request.write = {kind, id, value, NewRequestId(), false};
  request.operation.kind =
      kind == SimWrite::Kind::kForget ? OperationKind::kForget : OperationKind::kStore;
  request.operation.id = std::move(id);
  request.operation.ack = ack;
  request.operation.request = request.write.request;
  if (kind != SimWrite::Kind::kForget) request.operation.revisions = {{value, {}}};
  request.tries_left = kTries;
  request.recorded = recorded;
  Try(std::move(request));
}

// Mostly whom the routing would choose; but nobody knows for certain.
size_t ReplicatedClients::ChooseNode() {
  const std::optional<size_t> primary = cluster_.Primary();
  if (primary && cluster_.Below(4) != 0) return *primary;
  return cluster_.Below(cluster_.size());
}

Duration ReplicatedClients::Way() { return std::chrono::microseconds(100 + cluster_.Below(5'000)); }

void ReplicatedClients::Try(Request request) {
  --request.tries_left;
  auto call = std::make_shared<Call>();
  call->operation = request.operation;
  call->operation.client = "c";
  call->operation.space = SpaceId("space");
  call->operation.begin = cluster_.scheduler().now();
  call->operation.deadline = cluster_.scheduler().now() + kDeadline;
  call->node = ChooseNode();
  call->record = history_.operations.size();
  call->operation.line = call->record + 2;  // of the file that it would be written to
  if (request.recorded) history_.operations.push_back(call->operation);
  call->request = std::move(request);
  cluster_.scheduler().After(Way(), [this, call] { Arrive(call); });
  cluster_.scheduler().After(kDeadline, [this, call] {
    if (std::exchange(call->open, false)) TryAgain(call->request);
  });
}

void ReplicatedClients::Arrive(const CallPtr& call) {
  ReplicatedNode& node = cluster_.node(call->node);
  call->operation.served_by = node.id();
  if (!node.is_up()) return Finish(call, Outcome::kFail);
  node.Later(std::chrono::microseconds(1), [this, call] {
    if (call->operation.kind == OperationKind::kGet) return ArriveGet(call);
    ArriveWrite(call);
  });
}

void ReplicatedClients::ArriveWrite(const CallPtr& call) {
  SimWrite write = call->request.write;
  // Who is not cut off may think that it is.
  write.may_branch = cluster_.IsCutOff(call->node) || cluster_.Below(50) == 0;
  cluster_.node(call->node).Write(std::move(write), [this, call](const auto& written) {
    OnWritten(call, written);
  });
}

void ReplicatedClients::OnWritten(const CallPtr& call, const absl::StatusOr<SimWritten>& written) {
  ReplicatedNode& node = cluster_.node(call->node);
  if (!written.ok()) {
    return Answer(call, IsRefusal(written.status()) ? Outcome::kFail : Outcome::kUnknown);
  }
  Operation& operation = call->operation;
  operation.version = written->origin;
  operation.first_effect = !written->repeated;
  if (operation.ack == AckLevel::kPrimary) {
    operation.flagged = written->branch || !node.HasLease();
    return Answer(call, Outcome::kOk);
  }
  if (written->branch) return Answer(call, Outcome::kUnknown);
  node.AwaitMajority(node.StoredLog().last(), [this, call, &node] {
    call->operation.flagged = !node.HasLease();
    Answer(call, Outcome::kOk);
  });
}

void ReplicatedClients::ArriveGet(const CallPtr& call) {
  ReplicatedNode& node = cluster_.node(call->node);
  const replication::SpaceLog log = node.StoredLog();
  if (log.holder.epoch() == Epoch()) return Answer(call, Outcome::kFail);
  Operation& operation = call->operation;
  operation.revisions = node.store().Get(operation.id);
  operation.version = log.last();
  operation.flagged = !node.HasLease();  // after reading (docs/model, decision 14)
  Answer(call, Outcome::kOk);
}

void ReplicatedClients::Answer(const CallPtr& call, Outcome outcome) {
  if (cluster_.Share() < kLostAnswers) return;
  cluster_.scheduler().After(Way(), [this, call, outcome] { Finish(call, outcome); });
}

void ReplicatedClients::Finish(const CallPtr& call, Outcome outcome) {
  if (stopped_ || !std::exchange(call->open, false)) return;
  Operation& operation = call->operation;
  operation.outcome = outcome;
  operation.end = cluster_.scheduler().now();
  if (call->request.recorded) {
    history_.operations[call->record] = operation;
  } else if (outcome == Outcome::kOk && call->request.write.kind == SimWrite::Kind::kLink) {
    links_[operation.id.value()].insert(call->request.write.value);
  }
  if (outcome != Outcome::kOk) TryAgain(call->request);
}

void ReplicatedClients::TryAgain(const Request& request) {
  if (stopped_ || request.tries_left == 0) return;
  cluster_.scheduler().After(milliseconds(50 + cluster_.Below(1'000)), [this, request] {
    if (!stopped_) Try(request);
  });
}

std::vector<std::string> ReplicatedClients::MissingLinks(const ReplicatedStore& store) const {
  std::vector<std::string> missing;
  for (const auto& [from, targets] : links_) {
    const std::vector<std::string> held = store.Targets(MemoryId(from));
    for (const std::string& target : targets) {
      if (std::find(held.begin(), held.end(), target) != held.end()) continue;
      missing.push_back(fmt::format("{} -> {}", from, target));
    }
  }
  return missing;
}

}  // namespace engram::simulation
