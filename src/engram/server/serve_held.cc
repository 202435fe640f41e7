#include "engram/server/serve_held.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "engram/base/session_token.h"
#include "engram/server/live_calls.h"
#include "engram/server/ownership.h"
#include "engram/server/replication_port.h"
#include "engram/server/session_check.h"
#include "engram/v1/memory.pb.h"

namespace engram::server {
namespace {

using Done = absl::AnyInvocable<void(HeldAnswer)>;

// A field that comes after the others replaces it (protobuf, "Last One Wins").
void SetStaleness(routing::Operation op, uint64_t staleness_ms, std::string& message) {
  if (op == routing::Operation::kGet) {
    v1::GetResponse field;
    field.set_staleness_ms(staleness_ms);
    field.AppendToString(&message);
  } else if (op == routing::Operation::kRecall) {
    v1::RecallResponse field;
    field.set_staleness_ms(staleness_ms);
    field.AppendToString(&message);
  }
}

HeldAnswer Finished(const NodeContext& context, routing::Operation op, const SpaceId& space,
                    absl::StatusOr<std::string> message) {
  HeldAnswer answer{std::move(message), false, std::nullopt, {}};
  const ErrorCode code = CodeOf(answer.message.status());
  // That there is no such memory is said of a copy like what one contains.
  const bool tells = answer.message.ok() || code == ErrorCode::kNotFound;
  if (context.replication == nullptr || !tells) return answer;
  const ReplicationPort::Standing standing = context.replication->StandingOf(space);
  answer.degraded = standing.degraded;
  if (routing::IsWrite(op)) return answer;
  if (standing.position != Version{}) answer.seen = ToSessionToken(standing.position);
  if (!standing.staleness.has_value()) return answer;
  answer.staleness_ms = static_cast<uint64_t>(standing.staleness->count());
  if (answer.message.ok()) SetStaleness(op, *answer.staleness_ms, *answer.message);
  return answer;
}

// A read that waits for what its session has seen. Held by its timer.
class Waiting : public std::enable_shared_from_this<Waiting>, private LiveCalls::Call {
 public:
  Waiting(NodeContext& context, LocalService& local, LoopState& loop, LocalRequest request,
          Done done)
      : context_(context),
        local_(local),
        loop_(loop),
        request_(std::move(request)),
        done_(std::move(done)),
        timer_(*loop.loop) {
    loop.live_calls.Add(*this);
  }

  void Look() {
    const TimePoint now = Now();
    const bool has = context_.replication->Has(request_.space, *request_.session);
    switch (NextSessionStep(has ? Copy::kHasIt : Copy::kLacksIt, RoleHere(), since_,
                            request_.deadline, now)) {
      case SessionStep::kServe:
        return Serve(false);
      case SessionStep::kServeBehind:
        return Serve(true);
      case SessionStep::kElsewhere:
        return done_({WrongNodeFor(context_, request_.space), false, std::nullopt, {}});
      case SessionStep::kWait:
        timer_.RunAt(now + kSessionLook, [self = shared_from_this()] { self->Look(); });
    }
  }

 private:
  void Abandon() override {
    auto self = shared_from_this();
    timer_.Cancel();  // it holds this read
    done_ = nullptr;
  }

  Role RoleHere() const {
    const auto held = context_.held.Find(request_.space.view());
    const bool primary = held.has_value() && held->primary == context_.self_index;
    return primary ? Role::kPrimary : Role::kReplica;
  }

  void Serve(bool behind) {
    request_.session.reset();
    ServeHeld(context_, local_, loop_, std::move(request_),
              [done = std::move(done_), behind](HeldAnswer answer) mutable {
                answer.degraded = answer.degraded || behind;
                done(std::move(answer));
              });
  }

  NodeContext& context_;
  LocalService& local_;
  LoopState& loop_;
  LocalRequest request_;
  Done done_;
  net::EventLoop::Timer timer_;
  const TimePoint since_ = Now();
};

}  // namespace

void ServeHeld(NodeContext& context, LocalService& local, LoopState& loop, LocalRequest request,
               Done done) {
  if (request.session.has_value() && context.replication != nullptr) {
    return std::make_shared<Waiting>(context, local, loop, std::move(request), std::move(done))
        ->Look();
  }
  const routing::Operation op = request.op;
  // Of a copy of one's own: what is served here may have only one.
  SpaceId space = context.replication != nullptr ? request.space : SpaceId();
  local.Serve(*loop.loop, std::move(request),
              [&context, op, space = std::move(space),
               done = std::move(done)](absl::StatusOr<std::string> message) mutable {
                done(Finished(context, op, space, std::move(message)));
              });
}

}  // namespace engram::server
