#include "engram/cluster/assignment_gossip.h"

#include <optional>
#include <utility>

#include "engram/cluster/assignment_codec.h"

namespace engram::cluster {
namespace {

// What one comparison brings at most, a megabyte each; the rest is left to the next one.
constexpr int kRoundsMax = 1'000;

}  // namespace

AssignmentGossip::AssignmentGossip(routing::RoutingTable& table, const routing::NodeTable& nodes,
                                   GossipCalls& calls, Journal& journal,
                                   absl::AnyInvocable<void()> has_news)
    : calls_(calls),
      journal_(journal),
      has_news_(std::move(has_news)),
      records_(table, nodes),
      gossip_(records_) {}

void AssignmentGossip::KeepLearnt() {
  std::vector<placement::Assignment> learnt;
  for (const membership::Record& record : gossip_.TakeLearnt()) {
    if (auto assignment = ToAssignment(record)) learnt.push_back(*std::move(assignment));
  }
  if (!learnt.empty()) journal_.SaveAssignments(std::move(learnt));
}

void AssignmentGossip::Learnt() {
  KeepLearnt();
  if (gossip_.HasNews()) has_news_();
}

void AssignmentGossip::Announce(const placement::Assignment& assignment) {
  journal_.SaveAssignments({assignment});
  if (gossip_.Announce(assignment.space.view())) has_news_();
}

void AssignmentGossip::CompareWith(const GossipCalls::To& to, Duration limit, Done done) {
  ++comparisons_;
  Compare({to, limit, kRoundsMax, std::move(done)});
}

void AssignmentGossip::End(Comparison& comparison, const absl::Status& status) {
  if (!status.ok()) ++comparisons_failed_;
  comparison.done(status);
}

void AssignmentGossip::Compare(Comparison comparison) {
  peer::v1::CompareRecordsRequest request;
  request.set_digest(gossip_.Digest());
  const GossipCalls::To to = comparison.with;
  const TimePoint deadline = net::EventLoop::Now() + comparison.limit;
  calls_.CompareRecords(to, request, deadline,
                        [this, comparison = std::move(comparison)](
                            absl::StatusOr<peer::v1::CompareRecordsResponse> reply) mutable {
                          if (!reply.ok()) return End(comparison, reply.status());
                          Settle(std::move(comparison), reply->versions());
                        });
}

void AssignmentGossip::Settle(Comparison comparison, const std::string& versions) {
  auto settlement = gossip_.Settle(versions);
  if (!settlement.ok()) return End(comparison, settlement.status());
  if (settlement->equal) return End(comparison, absl::OkStatus());
  peer::v1::SettleRecordsRequest request;
  request.set_settlement(std::move(settlement->message));
  const bool more = settlement->more && --comparison.rounds > 0;
  const GossipCalls::To to = comparison.with;
  const TimePoint deadline = net::EventLoop::Now() + comparison.limit;
  calls_.SettleRecords(to, request, deadline,
                       [this, more, comparison = std::move(comparison)](
                           absl::StatusOr<peer::v1::SettleRecordsResponse> reply) mutable {
                         if (!reply.ok()) return End(comparison, reply.status());
                         const absl::Status taken = gossip_.Take(reply->records());
                         Learnt();
                         if (!taken.ok() || !more) return End(comparison, taken);
                         Compare(std::move(comparison));
                       });
}

absl::StatusOr<peer::v1::CompareRecordsResponse> AssignmentGossip::Serve(
    const peer::v1::CompareRecordsRequest& request) {
  auto versions = gossip_.Compare(request.digest());
  if (!versions.ok()) return versions.status();
  peer::v1::CompareRecordsResponse reply;
  reply.set_versions(*std::move(versions));
  return reply;
}

absl::StatusOr<peer::v1::SettleRecordsResponse> AssignmentGossip::Serve(
    const peer::v1::SettleRecordsRequest& request) {
  auto records = gossip_.Complete(request.settlement());
  if (!records.ok()) return records.status();
  Learnt();
  peer::v1::SettleRecordsResponse reply;
  reply.set_records(*std::move(records));
  return reply;
}

ControlCounters AssignmentGossip::counters() const {
  return {{}, gossip_.counters(), records_.refused(), comparisons_, comparisons_failed_};
}

}  // namespace engram::cluster
