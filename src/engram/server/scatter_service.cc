#include "engram/server/scatter_service.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "engram/memory/validate.h"
#include "engram/server/metadata_names.h"
#include "engram/server/peer_service.h"
#include "engram/server/scatter_convert.h"
#include "engram/server/scatter_part.h"

namespace engram::server {
namespace {

template <class Request>
absl::StatusOr<Request> Parse(const std::string& body) {
  Request request;
  if (request.ParseFromString(body)) return request;
  return InvalidArgument("message", fmt::format("the bytes are not a valid {}",
                                                std::string(Request::descriptor()->name())));
}

absl::StatusOr<memory::RecallQuery> QuestionOf(const v1::RecallManyRequest& request) {
  auto query = ToQuery(request);
  if (!query.ok()) return query;
  if (absl::Status valid = ValidateQuestion(*query); !valid.ok()) return valid;
  return query;
}

// A part and what it was asked; held by whichever of loop and worker is at it.
template <class Part>
struct Task {
  Part part;
  typename Part::Request request;
  memory::RecallQuery query;
};

}  // namespace

template <class Part>
void ScatterService::ServePart(net::EventLoop& loop, TimePoint deadline, const std::string& body,
                               Done done) {
  auto request = Parse<typename Part::Request>(body);
  auto query = request.ok() ? QuestionOf(request->question()) : request.status();
  if (!query.ok()) return done({query.status(), CodeOf(query.status())});
  auto task = std::make_shared<Task<Part>>(
      Task<Part>{Part(context_, engine_), *std::move(request), *std::move(query)});
  task->part.Sort(task->request);
  if (!task->part.HasWork(task->request)) {
    return done({task->part.Answer(task->request, task->query), ErrorCode::kUnspecified});
  }
  auto search = [this, &loop, task](Admission::Done ended) mutable {
    OnWorker<std::string>(
        loop, [task] { return task->part.Answer(task->request, task->query); }, std::move(ended));
  };
  auto answer = [task, done = std::move(done)](absl::StatusOr<std::string> reply) mutable {
    const ErrorCode outcome = CodeOf(reply.status());
    if (outcome == ErrorCode::kOverloaded) reply = task->part.Shed(task->request, reply.status());
    done({std::move(reply), outcome});
  };
  admission_.Pass(loop, {routing::Operation::kRecall, SpaceId(), deadline}, std::move(search),
                  std::move(answer));
}

void ScatterService::Serve(net::EventLoop& loop, ScatterStep step, TimePoint deadline,
                           const std::string& body, Done done) {
  switch (step) {
    case ScatterStep::kSurvey:
      return ServePart<SurveyPart>(loop, deadline, body, std::move(done));
    case ScatterStep::kFind:
      return ServePart<FindPart>(loop, deadline, body, std::move(done));
    case ScatterStep::kRead:
      return ServePart<ReadPart>(loop, deadline, body, std::move(done));
  }
}

void ScatterService::AddTo(net::Server& server) {
  for (ScatterStep step : {ScatterStep::kSurvey, ScatterStep::kFind, ScatterStep::kRead}) {
    server.AddUnary(PeerMethod(step), [this, step](net::ServerCall call, const std::string& body) {
      const size_t loop_index = context_.StateOf(call.loop()).index;
      if (absl::Status ours = CheckCluster(context_, call); !ours.ok()) {
        context_.metrics.RecordPeer(loop_index, CodeOf(ours));
        return call.Reply(ours);
      }
      net::EventLoop& loop = call.loop();
      const TimePoint deadline = call.deadline();
      Serve(loop, step, deadline, body,
            [this, loop_index, call = std::move(call)](Reply reply) mutable {
              context_.metrics.RecordPeer(loop_index, reply.outcome);
              call.AddTrailer(kMdServedBy, context_.self.view(), net::Recurrence::kRepeated);
              call.Reply(std::move(reply.message));
            });
    });
  }
}

}  // namespace engram::server
