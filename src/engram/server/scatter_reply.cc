// How a recall over several spaces ends: its answer, coverage and errors; and its handler.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "engram/server/convert.h"
#include "engram/server/memory_service.h"
#include "engram/server/request_metadata.h"
#include "engram/server/scatter_call.h"
#include "engram/server/scatter_convert.h"

namespace engram::server {
namespace {

constexpr std::string_view kRecallMany = "/engram.v1.MemoryService/RecallMany";
// What every client accepts by default (gRPC's own limit for a message).
constexpr size_t kReplyBytesMax = 4u << 20;
constexpr size_t kNamedInErrorMax = 20;

// If all that is missing is so for this reason, it is the reason of the whole; else
// kAllReplicasFailed is.
bool MayStandForAll(ErrorCode code) {
  return code == ErrorCode::kNoAssignment || code == ErrorCode::kNoLocalData ||
         code == ErrorCode::kCircuitBreakerOpen;
}

}  // namespace

void ScatterCall::Reply() {
  if (request_.strict && !(missing_.empty() && unreached_.empty())) return Finish(StrictError());
  Finish(Answer());
}

absl::StatusOr<std::string> ScatterCall::Answer() {
  v1::RecallResponse reply;
  const auto limit = static_cast<int>(request_.query.limit);
  for (const memory::MergedHit& hit : hits_) {
    if (reply.results_size() == limit) break;
    std::optional<v1::RecallResult>& record = RecordOf(hit);
    if (!record.has_value()) continue;  // forgotten meanwhile
    // Its own is that of the memory as it was read.
    const double confidence = record->confidence() * hit.match * factors_[hit.space];
    if (confidence < request_.query.min_confidence) continue;
    v1::RecallResult* result = reply.add_results();
    *result = *std::move(record);
    result->set_score(hit.score);
    result->set_confidence(confidence);
    *result->mutable_why() = ToProto(hit.why);
  }
  *reply.mutable_coverage() = CoverageOf();
  reply.set_confidence(ConfidenceOf(reply.coverage()));
  reply.set_staleness_ms(staleness_ms_.value_or(0));
  std::string bytes = reply.SerializeAsString();
  if (bytes.size() <= kReplyBytesMax) return bytes;
  return InvalidArgument(
      "limit",
      fmt::format("the results take {} bytes, an answer may have {}; ask with a smaller limit",
                  bytes.size(), kReplyBytesMax));
}

v1::Coverage ScatterCall::CoverageOf() const {
  v1::Coverage coverage;
  const auto answered = std::count_if(findings_.begin(), findings_.end(),
                                      [](const auto& space) { return space.status.ok(); });
  coverage.set_answered(static_cast<uint32_t>(answered));
  coverage.set_asked(static_cast<uint32_t>(answered) + static_cast<uint32_t>(missing_.size()));
  for (const auto& [space, error] : missing_) {
    v1::MissingSpace* missing = coverage.add_missing();
    missing->set_space(space);
    missing->set_reason(std::string(error.message()));
    missing->set_code(std::string(InfoOf(CodeOf(error)).name));
    missing->set_retry_after_ms(MillisOf(DetailOf(error).retry_after));
  }
  for (const auto& [node, error] : unreached_) {
    v1::MissingNode* missing = coverage.add_unreached();
    missing->set_id(node.value());
    missing->set_reason(std::string(error.message()));
  }
  return coverage;
}

// The share of what was asked that answered, each space by how sure who answered for it is (SPEC
// R12). Of nodes that did not say what they hold only some spaces may be known: then the share of
// the nodes counts, if it is less.
double ScatterCall::ConfidenceOf(const v1::Coverage& coverage) const {
  const double own = reach_.ConfidenceFactor();
  double answered = 0;
  for (size_t i = 0; i < findings_.size(); ++i) {
    if (findings_[i].status.ok()) answered += factors_[i];
  }
  const double of_spaces = coverage.asked() == 0 ? own : answered / coverage.asked();
  if (nodes_for_patterns_ == 0) return of_spaces;
  const auto reached = static_cast<double>(nodes_for_patterns_ - unreached_.size());
  return std::min(of_spaces, own * reached / static_cast<double>(nodes_for_patterns_));
}

absl::Status ScatterCall::StrictError() const {
  std::vector<std::string> named;
  ErrorDetail detail;
  auto name = [&](const std::string& who, const absl::Status& error) {
    if (named.size() < kNamedInErrorMax) {
      named.push_back(fmt::format("{} ({})", who, std::string(error.message())));
    }
    const bool only = detail.code == ErrorCode::kUnspecified || detail.code == CodeOf(error);
    detail.code =
        only && MayStandForAll(CodeOf(error)) ? CodeOf(error) : ErrorCode::kAllReplicasFailed;
    detail.retry_after = std::max(detail.retry_after, DetailOf(error).retry_after);
  };
  for (const auto& [space, error] : missing_) name(space, error);
  for (const auto& [node, error] : unreached_) name("what matches on " + node.value(), error);
  if (!missing_.empty()) detail.space = missing_.begin()->first;
  const size_t all = missing_.size() + unreached_.size();
  return MakeError(detail, fmt::format("not everything that was asked could be searched: {}{}",
                                       fmt::join(named, ", "), all > named.size() ? ", ..." : ""));
}

void ScatterCall::Finish(absl::StatusOr<std::string> message) {
  context_.metrics.Record(loop_.index, {.strategy = routing::Strategy::kScatterGather,
                                        .outcome = CodeOf(message.status()),
                                        .took = Now() - started_,
                                        .hops = stats_.hops,
                                        .redirects = stats_.redirects,
                                        .lookups = stats_.look_ups,
                                        .fallbacks = stats_.fallbacks,
                                        .breaker_refusals = stats_.breaker_refusals,
                                        .budget_refusals = stats_.budget_refusals,
                                        .stale = stale_,
                                        .retries = stats_.retried_for});
  Log();
  RoutedReply reply;
  reply.message = std::move(message);
  if (!reply.message.ok()) {
    absl::Status explained = reply.message.status();
    AttachAttempts(attempts_, explained);
    reply.message = explained;
  }
  reply.served_by = context_.self;
  reply.degraded = degraded_;
  reply.staleness_ms = staleness_ms_;
  reply.attempts = std::move(attempts_);
  std::exchange(done_, nullptr)(std::move(reply));
}

// For those who run the node.
void ScatterCall::Log() const {
  const TimePoint now = Now();
  for (const routing::AttemptRecord& attempt : attempts_) {
    if (attempt.error.ok() && !loop_.log.sees_open_breakers()) continue;
    loop_.log.OneOfMany(attempt, now);
    const auto node = context_.nodes.Find(attempt.node);
    if (!node.has_value() || *node == context_.self_index) continue;
    const routing::NodeState& state = context_.nodes.Of(*node);
    loop_.log.Breaker(state.id, "reads", state.reads, now);
  }
}

namespace {

// A call from its arrival at the gate to its answer; which of them holds it changes.
struct Gathering {
  explicit Gathering(net::ServerCall c) : call(std::move(c)) {}

  net::ServerCall call;
  RoutedReply reply;  // but for its message
  std::weak_ptr<ScatterCall> scatter;
  bool cancelled = false;
};

void Handle(NodeContext& context, ScatterService& service, Admission& admission,
            net::ServerCall call, const std::string& body) {
  LoopState& loop = context.StateOf(call.loop());
  auto request = ScatterCall::Parse(
      body, call.metadata(), OperationDeadline(call.deadline(), context.config.deadline, Now()));
  if (!request.ok()) return call.Reply(request.status());
  const TimePoint deadline = request->deadline;
  auto gathering = std::make_shared<Gathering>(std::move(call));
  gathering->call.OnCancel([weak = std::weak_ptr(gathering)] {
    auto running = weak.lock();
    if (running == nullptr) return;
    running->cancelled = true;
    if (auto scatter = running->scatter.lock()) scatter->Cancel();
  });
  auto gather = [&context, &loop, &service, gathering,
                 request = *std::move(request)](Admission::Done ended) mutable {
    if (gathering->cancelled) return ended(MakeError(ErrorCode::kCancelled, "nobody waits for it"));
    auto scatter = std::make_shared<ScatterCall>(
        context, loop, service, std::move(request),
        [gathering, ended = std::move(ended)](RoutedReply reply) mutable {
          auto message = std::move(reply.message);
          gathering->reply = std::move(reply);
          ended(std::move(message));
        });
    gathering->scatter = scatter;
    scatter->Start();
  };
  auto answer = [&context, &loop, gathering, arrived = Now()](absl::StatusOr<std::string> message) {
    const bool shed = gathering->reply.served_by.empty();
    if (shed) {
      context.metrics.Record(loop.index, {.strategy = routing::Strategy::kScatterGather,
                                          .outcome = CodeOf(message.status()),
                                          .took = Now() - arrived});
      gathering->reply.served_by = context.self;
    }
    gathering->reply.message = std::move(message);
    AnswerClient(gathering->call, std::move(gathering->reply));
  };
  admission.PassScatter(*loop.loop, deadline, std::move(gather), std::move(answer));
}

}  // namespace

void AddRecallMany(net::Server& server, NodeContext& context, ScatterService& service,
                   Admission& admission) {
  server.AddUnary(kRecallMany, [&](net::ServerCall call, const std::string& body) {
    Handle(context, service, admission, std::move(call), body);
  });
}

}  // namespace engram::server
