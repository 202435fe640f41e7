// One request of a step of a recall over several spaces, at a node that is to answer for them.
//
// First Sort(), on the loop: which of the spaces the node may answer for. Then, unless nothing is
// left to search, Answer() on a worker, or Shed(). One thread at a time; context and engine must
// outlive it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engram/memory/engine.h"
#include "engram/peer/v1/peer.pb.h"
#include "engram/server/node_context.h"

namespace engram::server {

// What a node that is asked for some spaces may answer for, and why not for the others.
class ScatterPart {
 public:
  ScatterPart(const NodeContext& context, const memory::Engine& engine)
      : context_(context), engine_(engine) {}

 protected:
  void SortSpace(const peer::v1::RoutedSpace& routed);
  // Those that a pattern matches and this node may answer for.
  void HoldMatching(const std::vector<std::string>& patterns);
  bool IsPrimary(const SpaceId& space) const;

  template <class Outcome>
  static void Refuse(const std::string& space, const absl::Status& why, Outcome& outcome);
  // Fresh routing rides on the success, as with a single request.
  template <class Outcome>
  void AddNewer(const SpaceId& space, Outcome& outcome) const;
  // To be added once the copy has been read (docs/model, decision 14).
  template <class Outcome>
  void AddStanding(const SpaceId& space, Outcome& outcome) const;
  template <class Response>
  void AddRefused(Response& reply) const;
  template <class Response>
  std::string AllShed(Response reply, const absl::Status& why) const;

  const NodeContext& context_;
  const memory::Engine& engine_;
  std::vector<SpaceId> held_;
  std::vector<std::pair<std::string, absl::Status>> refused_;
  std::map<SpaceId, Version> routed_by_;
  std::set<SpaceId> behind_;  // of which even this primary lacks what the reader has seen
};

// The three steps; each has the same four functions.
//  Sort: once, first.
//  HasWork: something is left to search.
//  Answer: the serialized reply.
//  Shed: the same, when there is no room to search.
class SurveyPart : public ScatterPart {
 public:
  using Request = peer::v1::SurveySpacesRequest;
  using ScatterPart::ScatterPart;

  void Sort(const Request& request);
  bool HasWork(const Request& request) const {
    return !held_.empty() || !request.patterns().empty();
  }
  absl::StatusOr<std::string> Answer(const Request& request, const memory::RecallQuery& query);
  std::string Shed(const Request& request, const absl::Status& why) const;
};

class FindPart : public ScatterPart {
 public:
  using Request = peer::v1::FindInSpacesRequest;
  using ScatterPart::ScatterPart;

  void Sort(const Request& request);
  bool HasWork(const Request& /*request*/) const { return !held_.empty(); }
  absl::StatusOr<std::string> Answer(const Request& request, const memory::RecallQuery& query);
  std::string Shed(const Request& request, const absl::Status& why) const;
};

class ReadPart : public ScatterPart {
 public:
  using Request = peer::v1::ReadFoundRequest;
  using ScatterPart::ScatterPart;

  void Sort(const Request& request);
  bool HasWork(const Request& /*request*/) const { return !held_.empty(); }
  absl::StatusOr<std::string> Answer(const Request& request, const memory::RecallQuery& query);
  std::string Shed(const Request& request, const absl::Status& why) const;
};

}  // namespace engram::server
