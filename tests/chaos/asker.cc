#include "chaos/asker.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <utility>

#include "engram/base/error.h"
#include "engram/v1/memory.pb.h"
#include "support/requests.h"

namespace engram::testing {
namespace {

constexpr std::string_view kService = "/engram.v1.MemoryService/";

engram::Version ToVersion(const v1::Version& version) {
  return {{version.epoch().counter(), NodeId(version.epoch().primary())}, version.sequence()};
}

std::string MethodOf(OperationKind kind) {
  switch (kind) {
    case OperationKind::kStore:
      return fmt::format("{}Store", kService);
    case OperationKind::kForget:
      return fmt::format("{}Forget", kService);
    case OperationKind::kGet:
      break;
  }
  return fmt::format("{}Get", kService);
}

std::string BodyOf(const Operation& op) {
  if (op.kind == OperationKind::kGet) {
    return MakeGet(op.space.value(), op.id.value()).SerializeAsString();
  }
  if (op.kind == OperationKind::kStore) {
    return MakeStore(op.space.value(), op.id.value(), op.revisions.front().value)
        .SerializeAsString();
  }
  v1::ForgetRequest request;
  request.set_space(op.space.value());
  request.set_id(op.id.value());
  return request.SerializeAsString();
}

net::Metadata MetadataOf(const Operation& op, ReadFrom from) {
  net::Metadata metadata;
  metadata.Add("engram-explain", "1");
  if (op.kind != OperationKind::kGet) {
    metadata.Add("engram-request-id", op.request);
    if (op.ack != AckLevel::kPrimary) {
      metadata.Add("engram-ack", op.ack == AckLevel::kQuorum ? "quorum" : "all");
    }
    return metadata;
  }
  if (from == ReadFrom::kAskedNode) metadata.Add("engram-read-preference", "nearest");
  if (op.token != Version{}) {
    metadata.Add("engram-session", fmt::format("{}:{}:{}", op.token.epoch.counter,
                                               op.token.epoch.primary.view(), op.token.sequence));
  }
  return metadata;
}

// It has not happened and never will: the node says so, having begun nothing, or it was not
// reached.
bool HasCertainlyFailed(const net::CallResult& result) {
  if (result.delivery == net::Delivery::kNotSent) return true;
  if (result.delivery == net::Delivery::kUndetermined) return false;
  switch (CodeOf(result.status)) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
    case ErrorCode::kNoAssignment:
    case ErrorCode::kNoLocalData:
    case ErrorCode::kCircuitBreakerOpen:
    case ErrorCode::kAllReplicasFailed:
    case ErrorCode::kWrongNode:
    case ErrorCode::kOverloaded:
    case ErrorCode::kStorageFailed:
    case ErrorCode::kShuttingDown:
      return true;
    default:
      return false;
  }
}

Outcome OutcomeOf(const Operation& op, const net::CallResult& result) {
  if (result.status.ok()) return Outcome::kOk;
  const bool nothing_there = op.kind == OperationKind::kGet &&
                             result.delivery == net::Delivery::kAnswered &&
                             CodeOf(result.status) == ErrorCode::kNotFound;
  if (nothing_there) return Outcome::kOk;
  return HasCertainlyFailed(result) ? Outcome::kFail : Outcome::kUnknown;
}

bool IsFlagged(const net::Metadata& trailing) {
  return trailing.Find("engram-degraded").has_value() ||
         trailing.Find("engram-staleness-ms").value_or("0") != "0";
}

// How the entry node came to the answer.
struct Way {
  int hops = -1;   // -1: it did not say
  int worked = 0;  // tries that may have carried the request out
};

Way WayOf(const net::Metadata& trailing, const std::string& entry) {
  Way way;
  v1::RouteTrace trace;
  const auto bytes = trailing.Find("engram-route-bin");
  if (!bytes.has_value() || !trace.ParseFromString(std::string(*bytes))) return way;
  way.hops = 0;
  for (const v1::Attempt& attempt : trace.attempts()) {
    const std::string& outcome = attempt.outcome();
    if (outcome == "skipped") continue;
    if (attempt.node() != entry) ++way.hops;
    if (outcome != "redirect" && outcome != "not_here") ++way.worked;
  }
  return way;
}

// What the message of a successful answer says.
void AddContent(const std::string& message, Operation& op) {
  if (op.kind == OperationKind::kStore) {
    v1::StoreResponse response;
    response.ParseFromString(message);
    op.id = MemoryId(response.id());
    op.version = ToVersion(response.version());
  } else if (op.kind == OperationKind::kForget) {
    v1::ForgetResponse response;
    response.ParseFromString(message);
    op.version = ToVersion(response.version());
  } else if (v1::GetResponse response; response.ParseFromString(message) && !message.empty()) {
    op.revisions.push_back({response.content(), ToVersion(response.version())});
    for (const v1::Sibling& sibling : response.siblings()) {
      op.revisions.push_back({sibling.content(), ToVersion(sibling.version())});
    }
  }
}

void AddAnswer(const net::CallResult& result, const std::string& entry, bool first_try,
               Operation& op) {
  op.outcome = OutcomeOf(op, result);
  const Way way = WayOf(result.trailing, entry);
  op.hops = way.hops;
  op.served_by = NodeId(result.trailing.Find("engram-served-by").value_or(""));
  op.flagged = IsFlagged(result.trailing);
  if (result.status.ok()) AddContent(result.message, op);
  op.first_effect = op.kind != OperationKind::kGet && result.status.ok() && first_try &&
                    way.hops >= 0 && way.worked == 1;
}

}  // namespace

Asker::Asker(const std::vector<Node>& nodes) : nodes_(nodes) {
  loop_.Start();
  net::ChannelOptions options;
  options.connect_timeout = std::chrono::seconds(1);
  for (const Node& node : nodes_) {
    channels_.push_back(net::Channel::Create(loop_, node.address, options));
  }
}

Asker::~Asker() {
  std::promise<void> closed;
  loop_.Post([&] {
    for (const auto& channel : channels_) channel->Close();
    channels_.clear();
    closed.set_value();
  });
  closed.get_future().wait();
  loop_.Stop();
}

net::CallResult Asker::Call(size_t entry, const std::string& method, net::CallOptions call,
                            const std::string& request) {
  std::promise<net::CallResult> promise;
  auto answered = promise.get_future();
  loop_.Post([&] {
    channels_[entry]->Unary(method, std::move(call), request,
                            [&](net::CallResult result) { promise.set_value(std::move(result)); });
  });
  return answered.get();
}

Operation Asker::Ask(Operation op, const Question& question) {
  net::CallOptions call;
  call.metadata = MetadataOf(op, question.from);
  op.begin = net::EventLoop::Now();
  op.deadline = call.deadline = op.begin + question.timeout;
  const net::CallResult result =
      Call(question.entry, MethodOf(op.kind), std::move(call), BodyOf(op));
  if (result.delivery != net::Delivery::kUndetermined) op.end = net::EventLoop::Now();
  AddAnswer(result, nodes_[question.entry].id, question.first_try, op);
  return op;
}

}  // namespace engram::testing
