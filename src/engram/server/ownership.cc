#include "engram/server/ownership.h"

#include <fmt/format.h>

#include <string>

#include "engram/routing/route_names.h"
#include "engram/server/convert.h"

namespace engram::server {
namespace {

absl::Status NotHere(const NodeContext& context, const SpaceId& space) {
  ErrorDetail detail{ErrorCode::kNoAssignment, "", space.value(), context.self.value(), {}};
  return MakeError(detail, fmt::format("there is no space '{}' at node {}", space.value(),
                                       context.self.value()));
}

absl::Status WrongNode(const NodeContext& context, const placement::Assignment& known) {
  ErrorDetail detail{ErrorCode::kWrongNode, "", known.space.value(), context.self.value(), {}};
  const std::string who = known.primary.empty()
                              ? "and knows of no primary at the moment"
                              : fmt::format("node {} does", known.primary.value());
  absl::Status status =
      MakeError(detail, fmt::format("node {} does not own space '{}', {}", context.self.value(),
                                    known.space.value(), who));
  AttachAssignment(known, status);
  return status;
}

}  // namespace

absl::Status RefusalOf(const NodeContext& context, routing::Operation op,
                       const routing::ReadPolicy& policy, const SpaceId& space, bool create) {
  const routing::Knowledge knowledge = context.KnowledgeOf(space.view());
  const routing::View view = context.view();
  switch (CheckOwnership(op, policy, knowledge, view, create)) {
    case routing::Ownership::kServe:
    case routing::Ownership::kCreate:
      return absl::OkStatus();
    case routing::Ownership::kNotHere:
      return NotHere(context, space);
    case routing::Ownership::kWrongNode:
      break;
  }
  return WrongNode(context, ToAssignment(space, *Authority(knowledge, view), context.nodes));
}

absl::Status WrongNodeFor(const NodeContext& context, const SpaceId& space) {
  const routing::Knowledge knowledge = context.KnowledgeOf(space.view());
  return WrongNode(context,
                   ToAssignment(space, *Authority(knowledge, context.view()), context.nodes));
}

}  // namespace engram::server
