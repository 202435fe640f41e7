// A recall over several spaces (SPEC R11), from the client's request to its answer:
//
//   1. Survey: each node that holds some of the spaces is asked what the query's words weigh there,
//      and each live node which of its spaces match a pattern. Left out when there is no text, or
//      one node holds everything, and no pattern.
//   2. Find: each node is asked once, with the statistics of all summed, for what it finds.
//   3. Merge, on a worker; then, rarely, Read: memories that were too large to come with step 2.
//
// In each step one request goes to each node, all at once (scatter_round.h). A step may take two
// thirds of the time that is left, so that one silent node never costs the answer of the others.
// Each space is routed as a recall of it alone would be, by its own read policy; while this node is
// cut off, only its own spaces are asked for, and everything is flagged (SPEC R12).
//
// Belongs to one loop. Alive as long as a step of it is under way, or its owner holds it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "engram/memory/merge.h"
#include "engram/peer/v1/peer.pb.h"
#include "engram/server/router.h"
#include "engram/server/scatter_names.h"
#include "engram/server/scatter_round.h"
#include "engram/server/scatter_service.h"
#include "engram/v1/memory.pb.h"

namespace engram::server {

class ScatterCall : public std::enable_shared_from_this<ScatterCall> {
 public:
  using Done = absl::AnyInvocable<void(RoutedReply)>;

  struct Request {
    SpaceNames spaces;
    memory::RecallQuery query;
    v1::RecallManyRequest question;  // without the spaces
    bool strict = false;
    TimePoint deadline;
    std::optional<routing::ReadPreference> preference;
    StringMap<Version> sessions;  // what the reader has seen, by space
  };
  // InvalidArgument naming the field.
  static absl::StatusOr<Request> Parse(const std::string& body, const net::Metadata& metadata,
                                       TimePoint deadline);

  // `service` must outlive the call. `done` gets the answer once; CANCELLED after Cancel().
  ScatterCall(NodeContext& context, LoopState& loop, ScatterService& service, Request request,
              Done done);

  void Start();
  void Cancel();

 private:
  using Space = ScatterRound::Space;
  using Spaces = std::vector<Space>;
  using Answers = absl::StatusOr<std::vector<ScatterRound::Answer>>;
  using Wanted = routing::ScatterPlan::Wanted;
  using Results = std::vector<routing::ScatterPlan::Result>;

  // --- survey
  bool NeedsSurvey(const std::vector<Wanted>& spaces) const;
  void Survey();
  void AddPatterns(std::vector<Wanted>& spaces);
  void TakeStatistics(const peer::v1::SpaceSurvey& survey);
  std::string SurveyRequest(const Spaces& spaces);
  Answers TakeSurvey(const Spaces& spaces, const std::string& reply);
  void OnSurveyed(const Results& results);
  void NameWhatIsKnownOf(std::map<NodeId, absl::Status> unreached);
  void FindInSurveyed();

  // --- find
  void Find(std::vector<std::string> names);
  std::string FindRequest(const Spaces& spaces);
  Answers TakeFound(const Spaces& spaces, const std::string& reply);
  void OnFound(const Results& results);

  // --- merge and read
  void Merge();
  void OnMerged(std::vector<memory::MergedHit> hits);
  bool NeedsReading() const;
  void Read();
  std::string ReadRequest(const Spaces& spaces);
  Answers TakeRead(const Spaces& spaces, const std::string& reply);
  void OnRead(const Results& results);

  void Ask(ScatterStep step, const std::vector<Wanted>& spaces,
           std::string (ScatterCall::*request)(const Spaces&),
           Answers (ScatterCall::*take)(const Spaces&, const std::string&),
           void (ScatterCall::*done)(const Results&));
  void Account(ScatterRound::Outcome& outcome);
  routing::ReadPolicy PolicyOf(std::string_view name) const;
  Wanted WantedOf(const std::string& name) const;
  std::vector<Wanted> WantedOfAsked() const;
  void AddRouted(Space space, peer::v1::RoutedSpace* routed) const;
  ScatterRound::Answer AnswerTo(Space space, const peer::v1::SpaceRefusal* refusal);
  void Learn(const std::string& name, const v1::Assignment& assignment);
  void Heed(const peer::v1::CopyStanding& standing);
  std::optional<v1::RecallResult>& RecordOf(const memory::MergedHit& hit) {
    return records_[hit.space][hit.found];
  }

  void AddMissing(const std::string& space, const routing::ScatterPlan::Result& result);
  void Reply();
  absl::StatusOr<std::string> Answer();
  v1::Coverage CoverageOf() const;
  double ConfidenceOf(const v1::Coverage& coverage) const;
  absl::Status StrictError() const;
  void Finish(absl::StatusOr<std::string> message);
  void Log() const;

  NodeContext& context_;
  LoopState& loop_;
  ScatterService& service_;
  Request request_;
  Done done_;
  const TimePoint started_ = Now();
  const memory::RankingQuery ranking_;
  routing::ScatterOptions options_;
  std::shared_ptr<ScatterRound> round_;
  // The spaces of the step under way, by position; the nodes that are asked for patterns follow.
  std::vector<std::string> asked_;
  // This node's own, as it was when the last step began.
  routing::Reachability reach_;
  bool degraded_ = false;
  std::optional<uint64_t> staleness_ms_;  // the most of any copy that is not its primary's
  bool stale_ = false;
  bool surveyed_ = false;
  routing::AttemptRecords attempts_;
  routing::CallStats stats_;

  std::vector<NodeId> pattern_nodes_;                     // asked for what the patterns match
  size_t nodes_for_patterns_ = 0;                         // that would have to be
  std::map<std::string, memory::TextStatistics> survey_;  // by the space's name
  // Those that a pattern matches, if only a replica that must not answer has said so yet.
  std::set<std::string> matched_;
  std::map<std::string, absl::Status> missing_;  // likewise
  std::map<NodeId, absl::Status> unreached_;

  std::optional<memory::TextStatistics> statistics_;
  size_t found_replies_ = 0;
  // By position in the steps after the survey.
  std::vector<std::string> names_;
  std::vector<memory::SpaceFindings> findings_;
  std::vector<double> factors_;  // of the confidence, by who answered
  std::vector<std::vector<std::optional<v1::RecallResult>>> records_;
  std::vector<memory::MergedHit> hits_;
  std::map<Space, std::vector<const memory::MergedHit*>> to_read_;
  std::set<std::pair<size_t, size_t>> gone_;  // hits that do not exist any more
};

// The handler of MemoryService.RecallMany. All arguments must outlive the server. REQUIRES: before
// server.Start().
void AddRecallMany(net::Server& server, NodeContext& context, ScatterService& service,
                   Admission& admission);

}  // namespace engram::server
