#include "engram/server/local_service.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

#include "engram/memory/utf8.h"
#include "engram/server/convert.h"
#include "engram/server/peek.h"

namespace engram::server {
namespace {

using memory::Engine;
using memory::WriteResult;

// What every client accepts by default (gRPC's own limit for a message).
constexpr size_t kReplyBytesMax = 4u << 20;

// A store up to this size is analysed on the loop, in about a millisecond at most; a longer one
// would hold up the others.
constexpr size_t kInPlaceBytesMax = 16u << 10;

// Before a write's deadline: that it is not held by enough yet is to be told in time.
constexpr Duration kAckGrace = std::chrono::milliseconds(20);

constexpr Duration kOverloadedPause = std::chrono::milliseconds(100);

// Why the parser refused: text that is no UTF-8, which can be named, or a broken structure, which
// can not.
absl::Status Unparseable(const google::protobuf::Descriptor& type, std::string_view body) {
  for (int i = 0; i < type.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *type.field(i);
    if (field.type() != google::protobuf::FieldDescriptor::TYPE_STRING) continue;
    std::optional<std::string_view> text = PeekString(body, field.number());
    if (text.has_value() && !memory::IsValidUtf8(*text)) {
      return InvalidArgument(field.name(), fmt::format("{} is not valid UTF-8 text", field.name()));
    }
  }
  return InvalidArgument(
      "message",
      fmt::format("the bytes are not a valid {}; a field is malformed or cut off", type.name()));
}

// Parses and checks what only the bytes can tell: well-formed, nothing unknown, the space it was
// routed by (SPEC R17).
template <class Request>
absl::StatusOr<Request> Parse(const LocalRequest& request) {
  Request message;
  if (!message.ParseFromString(request.body))
    return Unparseable(*Request::descriptor(), request.body);
  if (absl::Status status = CheckKnownFields(message); !status.ok()) return status;
  if (message.space() != request.space.view()) {
    return InvalidArgument(
        "space", fmt::format("the message names space '{}' but was routed by '{}'", message.space(),
                             request.space.value()));
  }
  return message;
}

// `factor`: see LocalRequest::confidence_factor.
absl::StatusOr<std::string> RecallReply(absl::StatusOr<memory::RecallResult> result,
                                        double factor) {
  if (!result.ok()) return result.status();
  v1::RecallResponse response = ToRecallResponse(*std::move(result));
  if (factor != 1) {
    response.set_confidence(response.confidence() * factor);
    for (v1::RecallResult& found : *response.mutable_results()) {
      found.set_confidence(found.confidence() * factor);
    }
  }
  std::string reply = response.SerializeAsString();
  if (reply.size() <= kReplyBytesMax) return reply;
  return InvalidArgument(
      "limit",
      fmt::format("the results take {} bytes, an answer may have {}; ask with a smaller limit",
                  reply.size(), kReplyBytesMax));
}

}  // namespace

template <class Reply>
Engine::Done LocalService::OnLoop(net::EventLoop& loop, Due due, Done done, Reply reply) {
  return [this, &loop, due = std::move(due), done = std::move(done),
          reply = std::move(reply)](absl::StatusOr<WriteResult> result) mutable {
    const bool waits = result.ok() && due.ack != routing::Ack::kPrimary && await_held_ != nullptr;
    const Version origin = waits ? result->version : Version();
    Made finish = [&loop, done = std::move(done), reply = std::move(reply),
                   result = std::move(result)](absl::Status held) mutable {
      loop.Post([done = std::move(done), reply = std::move(reply), result = std::move(result),
                 held = std::move(held)]() mutable {
        if (!result.ok()) return done(result.status());
        if (!held.ok()) return done(std::move(held));
        done(reply(*result).SerializeAsString());
      });
    };
    if (!waits) return finish(absl::OkStatus());
    await_held_(due.space, origin, due.ack, due.deadline, std::move(finish));
  };
}

LocalService::Due LocalService::DueOf(const LocalRequest& request) {
  const bool forever = request.deadline == kNever;
  return {request.space, request.ack, forever ? kNever : request.deadline - kAckGrace};
}

LocalService::LocalService(NodeId self, Engine& engine, routing::RoutingTable& held,
                           routing::RoutingTable& table, WorkerPool& workers, Admission& admission)
    : self_(std::move(self)),
      engine_(engine),
      held_(held),
      table_(table),
      workers_(workers),
      admission_(admission) {}

void LocalService::Serve(net::EventLoop& loop, LocalRequest request, Done done) {
  if (request.op == routing::Operation::kGet) return Get(request, std::move(done));
  Admission::Request asked{request.op, request.space, request.deadline};
  auto run = [this, &loop, request = std::move(request)](Done ended) mutable {
    Run(loop, std::move(request), std::move(ended));
  };
  admission_.Pass(loop, asked, std::move(run), std::move(done));
}

void LocalService::Run(net::EventLoop& loop, LocalRequest request, Done done) {
  switch (request.op) {
    case routing::Operation::kStore:
      return Store(loop, std::move(request), std::move(done));
    case routing::Operation::kForget:
      return Forget(loop, request, std::move(done));
    case routing::Operation::kLink:
      return Link(loop, request, std::move(done));
    case routing::Operation::kGet:
      return Get(request, std::move(done));
    case routing::Operation::kRecall:
      return Recall(loop, request, std::move(done));
    case routing::Operation::kConsolidate:
      return done(MakeError(ErrorCode::kUnimplemented, "no client can ask for it yet"));
  }
}

void LocalService::Store(net::EventLoop& loop, LocalRequest request, Done done) {
  if (request.body.size() <= kInPlaceBytesMax) return StoreNow(loop, request, std::move(done));
  SpaceId space = request.space;
  OnWorker(loop, space, std::move(done),
           [this, &loop, request = std::move(request)](Done back) mutable {
             StoreNow(loop, request, std::move(back));
           });
}

void LocalService::StoreNow(net::EventLoop& loop, const LocalRequest& request, Done done) {
  auto message = Parse<v1::StoreRequest>(request);
  if (!message.ok()) return done(message.status());
  auto command = ToCommand(*std::move(message), request.identity, request.create_space);
  if (!command.ok()) return done(command.status());
  command->branch = request.branch;
  StoreOnceMade(loop, *std::move(command), DueOf(request), std::move(done));
}

void LocalService::StoreOnceMade(net::EventLoop& loop, memory::StoreCommand command, Due due,
                                 Done done) {
  if (command.create_space == memory::CreateSpace::kNo || make_space_ == nullptr ||
      engine_.FindSpace(command.space.view()).has_value()) {
    return StoreInEngine(loop, std::move(command), std::move(due), std::move(done));
  }
  const SpaceId space = command.space;
  const TimePoint deadline = due.deadline;
  // Shared, because nothing may come of it.
  struct Waiting {
    memory::StoreCommand command;
    Due due;
    Done done;
  };
  auto waiting =
      std::make_shared<Waiting>(Waiting{std::move(command), std::move(due), std::move(done)});
  Made made = [this, &loop, waiting](absl::Status status) {
    loop.Post([this, &loop, waiting, status = std::move(status)] {
      if (!status.ok()) return std::exchange(waiting->done, nullptr)(status);
      StoreInEngine(loop, std::move(waiting->command), std::move(waiting->due),
                    std::exchange(waiting->done, nullptr));
    });
  };
  if (make_space_(space, deadline, made)) return;
  StoreInEngine(loop, std::move(waiting->command), std::move(waiting->due),
                std::exchange(waiting->done, nullptr));
}

void LocalService::StoreInEngine(net::EventLoop& loop, memory::StoreCommand command, Due due,
                                 Done done) {
  auto reply = [this, space = command.space](const WriteResult& result) {
    if (result.space_created || !held_.Find(space.view()).has_value()) {
      if (auto summary = engine_.FindSpace(space.view())) {
        Publish({AssignmentOf(*summary)});
        if (announce_) announce_({AssignmentOf(*summary)});
      }
    }
    return ToStoreResponse(space, result);
  };
  engine_.Store(std::move(command),
                OnLoop(loop, std::move(due), std::move(done), std::move(reply)));
}

void LocalService::Forget(net::EventLoop& loop, const LocalRequest& request, Done done) {
  auto message = Parse<v1::ForgetRequest>(request);
  if (!message.ok()) return done(message.status());
  auto reply = [space = request.space](const WriteResult& result) {
    return ToForgetResponse(space, result);
  };
  memory::ForgetCommand command = ToCommand(*std::move(message), request.identity);
  command.branch = request.branch;
  engine_.Forget(std::move(command),
                 OnLoop(loop, DueOf(request), std::move(done), std::move(reply)));
}

void LocalService::Link(net::EventLoop& loop, const LocalRequest& request, Done done) {
  auto message = Parse<v1::LinkRequest>(request);
  if (!message.ok()) return done(message.status());
  memory::LinkCommand command = ToCommand(*std::move(message), request.identity);
  command.branch = request.branch;
  v1::LinkResponse response;
  response.set_space(command.space.value());
  response.set_from(command.from.value());
  response.set_to(command.to.value());
  response.set_weight(command.weight);
  auto reply = [response = std::move(response)](const WriteResult& result) mutable {
    *response.mutable_version() = ToProto(result.version);
    return std::move(response);
  };
  engine_.Link(std::move(command), OnLoop(loop, DueOf(request), std::move(done), std::move(reply)));
}

// In place: a get takes microseconds, a thread hand-off costs more.
void LocalService::Get(const LocalRequest& request, Done done) {
  auto message = Parse<v1::GetRequest>(request);
  if (!message.ok()) return done(message.status());
  auto reply = engine_.GetEncoded(request.space, MemoryId(std::move(*message->mutable_id())));
  if (!reply.ok()) return done(reply.status());
  if ((*reply)->size() > kReplyBytesMax) {
    return done(
        MakeError(ErrorCode::kInternal,
                  fmt::format("the memory takes {} bytes with its links, an answer may have {}",
                              (*reply)->size(), kReplyBytesMax)));
  }
  done(**reply);
}

void LocalService::Recall(net::EventLoop& loop, const LocalRequest& request, Done done) {
  auto message = Parse<v1::RecallRequest>(request);
  if (!message.ok()) return done(message.status());
  auto query = ToQuery(*std::move(message));
  if (!query.ok()) return done(query.status());
  OnWorker(loop, request.space, std::move(done),
           [this, query = *std::move(query), factor = request.confidence_factor](Done back) {
             back(RecallReply(engine_.Recall(query), factor));
           });
}

void LocalService::OnWorker(net::EventLoop& loop, const SpaceId& space, Done done,
                            absl::AnyInvocable<void(Done)> work) {
  // Shared, because the task may be refused after it has been made.
  auto shared_done = std::make_shared<Done>(std::move(done));
  Done back = [&loop, shared_done](absl::StatusOr<std::string> reply) {
    loop.Post([shared_done, reply = std::move(reply)]() mutable {
      // Moved out: the worker may be the last to let go of the shared one, but what `done` holds
      // belongs to the loop.
      Done told = std::move(*shared_done);
      told(std::move(reply));
    });
  };
  auto task = [work = std::move(work), back = std::move(back)]() mutable { work(std::move(back)); };
  if (workers_.Submit(std::move(task))) return;
  ErrorDetail detail{ErrorCode::kOverloaded, "", space.value(), self_.value(), kOverloadedPause};
  (*shared_done)(MakeError(detail, "too many requests are waiting for a worker"));
}

void LocalService::Publish(const std::vector<placement::Assignment>& held) {
  held_.Apply(held);
  table_.Apply(held);
}

// Of a space that the engine has made: this node is its only holder.
placement::Assignment LocalService::AssignmentOf(const memory::SpaceSummary& summary) const {
  return {summary.space, self_, {}, summary.assignment_version};
}

}  // namespace engram::server
