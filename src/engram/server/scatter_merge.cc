// The last steps of a recall over several spaces: one ranking, and the memories of it that are not
// here yet.
#include "engram/server/scatter_call.h"

namespace engram::server {

using memory::MergedHit;
using routing::ScatterPlan;

void ScatterCall::Merge() {
  using Hits = std::vector<MergedHit>;
  service_.OnWorker<Hits>(
      *loop_.loop,
      [this, self = shared_from_this()]() -> absl::StatusOr<Hits> {
        return memory::Merge(ranking_, *statistics_, findings_);
      },
      [self = shared_from_this()](absl::StatusOr<Hits> hits) {
        if (!self->done_) return;
        if (!hits.ok()) return self->Finish(hits.status());
        self->OnMerged(*std::move(hits));
      });
}

void ScatterCall::OnMerged(std::vector<MergedHit> hits) {
  hits_ = std::move(hits);
  NeedsReading() ? Read() : Reply();
}

// One of the first `limit` hits that exist is not here.
bool ScatterCall::NeedsReading() const {
  size_t ready = 0;
  for (const MergedHit& hit : hits_) {
    if (ready == request_.query.limit) return false;
    if (gone_.contains({hit.space, hit.found})) continue;
    if (!records_[hit.space][hit.found].has_value()) return true;
    ++ready;
  }
  return false;
}

void ScatterCall::Read() {
  to_read_.clear();
  for (const MergedHit& hit : hits_) {
    const bool here = RecordOf(hit).has_value() || gone_.contains({hit.space, hit.found});
    if (!here) to_read_[static_cast<Space>(hit.space)].push_back(&hit);
  }
  // The plan numbers what it is given: the n-th of to_read_.
  asked_.clear();
  for (const auto& [space, wanted] : to_read_) asked_.push_back(names_[space]);
  Ask(ScatterStep::kRead, WantedOfAsked(), &ScatterCall::ReadRequest, &ScatterCall::TakeRead,
      &ScatterCall::OnRead);
}

std::string ScatterCall::ReadRequest(const Spaces& spaces) {
  peer::v1::ReadFoundRequest request;
  *request.mutable_question() = request_.question;
  for (Space nth : spaces) {
    const auto& [space, wanted] = *std::next(to_read_.begin(), nth);
    peer::v1::MemoriesOfSpace* memories = request.add_spaces();
    AddRouted(nth, memories->mutable_space());
    for (const MergedHit* hit : wanted) {
      memories->add_ids(findings_[hit->space].found[hit->found].id.value());
    }
  }
  return request.SerializeAsString();
}

ScatterCall::Answers ScatterCall::TakeRead(const Spaces& spaces, const std::string& bytes) {
  peer::v1::ReadFoundResponse reply;
  if (!reply.ParseFromString(bytes)) return MakeError(ErrorCode::kInternal, "no ReadFoundResponse");
  std::map<std::string, peer::v1::ReadSpace*> by_name;
  for (peer::v1::ReadSpace& space : *reply.mutable_spaces()) by_name[space.space()] = &space;
  std::vector<ScatterRound::Answer> answers;
  for (Space nth : spaces) {
    ScatterRound::Answer& answer = answers.emplace_back();
    const auto& [space, wanted] = *std::next(to_read_.begin(), nth);
    auto at = by_name.find(asked_[nth]);
    peer::v1::ReadSpace* read = at == by_name.end() ? nullptr : at->second;
    if (read == nullptr || read->has_refusal()) {
      answer = AnswerTo(nth, read == nullptr ? nullptr : &read->refusal());
      continue;
    }
    Heed(read->standing());
    std::map<std::string, v1::RecallResult*> memories;
    for (v1::RecallResult& m : *read->mutable_memories()) memories[m.id()] = &m;
    for (const MergedHit* hit : wanted) {
      auto memory = memories.find(findings_[hit->space].found[hit->found].id.value());
      if (memory == memories.end()) {
        gone_.insert({hit->space, hit->found});
      } else {
        RecordOf(*hit) = std::move(*memory->second);
      }
    }
  }
  return answers;
}

void ScatterCall::OnRead(const Results& results) {
  bool all = true;
  size_t nth = 0;
  for (const auto& [space, wanted] : to_read_) {
    const ScatterPlan::Result& result = results[nth++];
    if (result.answered) continue;
    all = false;
    findings_[space].status = result.error;
    AddMissing(names_[space], result);
  }
  // Without the spaces that failed, others come forward.
  all ? Reply() : Merge();
}

}  // namespace engram::server
