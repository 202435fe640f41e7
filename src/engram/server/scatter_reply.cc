// How a recall over several spaces ends: its answer, coverage and errors; and its handler.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "engram/server/convert.h"
#include "engram/server/metadata_names.h"
#include "engram/server/request_metadata.h"
#include "engram/server/scatter_call.h"

namespace engram::server {
namespace {

constexpr std::string_view kRecallMany = "/engram.v1.MemoryService/RecallMany";
// What every client accepts by default (gRPC's own limit for a message).
constexpr size_t kReplyBytesMax = 4u << 20;
constexpr size_t kNamedInErrorMax = 20;

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
    const double confidence = record->confidence() * hit.match;
    if (confidence < request_.query.min_confidence) continue;
    v1::RecallResult* result = reply.add_results();
    *result = *std::move(record);
    result->set_score(hit.score);
    result->set_confidence(confidence);
    *result->mutable_why() = ToProto(hit.why);
  }
  *reply.mutable_coverage() = CoverageOf();
  reply.set_confidence(ConfidenceOf(reply.coverage()));
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
  }
  for (const auto& [node, error] : unreached_) {
    v1::MissingNode* missing = coverage.add_unreached();
    missing->set_id(node.value());
    missing->set_reason(std::string(error.message()));
  }
  return coverage;
}

// The share of what was asked that answered. Of nodes that did not say what they hold only some
// spaces may be known: then the share of the nodes counts, if it is less.
double ScatterCall::ConfidenceOf(const v1::Coverage& coverage) const {
  auto share = [](size_t part, size_t whole) {
    return whole == 0 ? 1.0 : static_cast<double>(part) / static_cast<double>(whole);
  };
  return std::min(share(coverage.answered(), coverage.asked()),
                  share(pattern_nodes_.size() - unreached_.size(), pattern_nodes_.size()));
}

absl::Status ScatterCall::StrictError() const {
  std::vector<std::string> named;
  ErrorDetail detail;
  detail.code = ErrorCode::kNoAssignment;
  auto name = [&](const std::string& who, const absl::Status& error) {
    if (named.size() < kNamedInErrorMax) {
      named.push_back(fmt::format("{} ({})", who, std::string(error.message())));
    }
    if (CodeOf(error) != ErrorCode::kNoAssignment) detail.code = ErrorCode::kAllReplicasFailed;
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
                                        .took = Now() - started_});
  RoutedReply reply;
  reply.message = std::move(message);
  reply.served_by = context_.self;
  reply.attempts = std::move(attempts_);
  std::exchange(done_, nullptr)(std::move(reply));
}

void AddRecallMany(net::Server& server, NodeContext& context, ScatterService& service) {
  server.AddUnary(kRecallMany, [&context, &service](net::ServerCall call, const std::string& body) {
    LoopState& loop = context.StateOf(call.loop());
    auto request = ScatterCall::Parse(
        body, OperationDeadline(call.deadline(), context.config.deadline, Now()));
    if (!request.ok()) return call.Reply(request.status());
    auto shared = std::make_shared<net::ServerCall>(std::move(call));
    auto scatter = std::make_shared<ScatterCall>(
        context, loop, service, *std::move(request), [shared](RoutedReply reply) {
          shared->AddTrailer(kMdServedBy, reply.served_by.view(), net::Recurrence::kRepeated);
          if (shared->metadata().Find(kMdExplain).has_value()) {
            shared->AddTrailer(kMdRoute, ToProto(reply.attempts).SerializeAsString());
          }
          shared->Reply(std::move(reply.message));
        });
    shared->OnCancel([weak = std::weak_ptr(scatter)] {
      if (auto running = weak.lock()) running->Cancel();
    });
    scatter->Start();
  });
}

}  // namespace engram::server
