#include "engram/server/store_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "engram/base/names.h"
#include "engram/server/convert.h"
#include "engram/server/metadata_names.h"
#include "engram/server/peek.h"
#include "engram/server/request_metadata.h"
#include "engram/v1/memory.pb.h"

namespace engram::server {
namespace {

constexpr int kInFlightMax = 128;
constexpr int kErrorsMax = 1'000;

// One stream. Belongs to the call's loop; alive while a read or a store of it is under way.
class StoreStream : public std::enable_shared_from_this<StoreStream> {
 public:
  StoreStream(NodeContext& context, Router& router, net::ServerCall call, RequestId id,
              bool id_is_ours, std::optional<routing::Ack> ack)
      : context_(context),
        router_(router),
        call_(std::move(call)),
        loop_(context.StateOf(call_.loop())),
        id_(id),
        id_is_ours_(id_is_ours),
        ack_(ack) {}

  void Start() {
    call_.OnCancel([weak = weak_from_this()] {
      auto self = weak.lock();
      if (self == nullptr) return;
      self->cancelled_ = true;
      self->held_.reset();
    });
    ReadMore();
  }

 private:
  void ReadMore();
  void OnMessage(std::string message);
  void StoreLine(uint64_t line, std::string message);
  void OnStored(uint64_t line, const std::string& key, const SpaceId& space,
                const RoutedReply& reply);
  void Fail(uint64_t line, const absl::Status& status);
  void AddToShare(const SpaceId& space, const RoutedReply& reply);
  void FinishIfDone();
  void RenewId();

  NodeContext& context_;
  Router& router_;
  net::ServerCall call_;
  LoopState& loop_;
  RequestId id_;
  const bool id_is_ours_;
  const std::optional<routing::Ack> ack_;  // that the client asks for
  TimePoint id_made_at_ = Now();

  uint64_t lines_ = 0;
  int in_flight_ = 0;
  bool reading_ = false;
  bool client_done_ = false;
  bool cancelled_ = false;
  bool finished_ = false;
  // A line was refused as too much: nothing is read until all that is under way has ended.
  bool overloaded_ = false;
  // Space and explicit id of what is under way, so that two lines of one id keep their order.
  StringSet ids_in_flight_;
  struct Held {
    uint64_t line;
    std::string key;
    std::string message;
  };
  std::optional<Held> held_;  // waits for its id; nothing is read meanwhile
  struct Share {
    uint64_t stored = 0;
    Version newest;
  };
  std::map<std::pair<std::string, std::string>, Share> shares_;  // by space and node
  v1::StoreStreamResponse response_;
};

// The part of a line that decides its order: "space\nid", or "" when an id will be made.
std::string OrderKey(std::string_view space, std::string_view message) {
  std::string_view id = PeekId(message).value_or("");
  return id.empty() ? "" : fmt::format("{}\n{}", space, id);
}

void StoreStream::ReadMore() {
  if (overloaded_ && in_flight_ > 0) return;
  overloaded_ = false;
  if (reading_ || client_done_ || cancelled_ || held_.has_value() || in_flight_ >= kInFlightMax)
    return;
  reading_ = true;
  call_.Read([self = shared_from_this()](std::optional<std::string> message) {
    self->reading_ = false;
    if (message.has_value()) {
      self->OnMessage(*std::move(message));
      self->ReadMore();
    } else {
      self->client_done_ = true;
    }
    self->FinishIfDone();
  });
}

void StoreStream::OnMessage(std::string message) {
  uint64_t line = ++lines_;
  auto space = PeekSpace(message);
  if (!space.has_value()) {
    return Fail(line, InvalidArgument("message", "the bytes are not a valid protobuf message"));
  }
  if (absl::Status status = CheckSpaceName("space", *space); !status.ok())
    return Fail(line, status);
  std::string key = OrderKey(*space, message);
  if (!key.empty() && ids_in_flight_.contains(key)) {
    held_ = Held{line, std::move(key), std::move(message)};
    return;
  }
  if (!key.empty()) ids_in_flight_.insert(key);
  StoreLine(line, std::move(message));
}

void StoreStream::StoreLine(uint64_t line, std::string message) {
  RenewId();
  SpaceId space(*PeekSpace(message));
  std::string key = OrderKey(space.view(), message);
  ++in_flight_;
  RoutedRequest request{routing::Operation::kStore,
                        space,
                        std::move(message),
                        {id_, line},
                        OperationDeadline(call_.deadline(), context_.config.deadline, Now()),
                        {},
                        AckOf(context_.config, ack_, space.view())};
  router_.Route(loop_, std::move(request),
                [self = shared_from_this(), line, key = std::move(key),
                 space](const RoutedReply& reply) { self->OnStored(line, key, space, reply); });
}

// A stream may stay open longer than a request id is recognised. One that the client chose is the
// client's to renew.
void StoreStream::RenewId() {
  if (!id_is_ours_ || Now() - id_made_at_ < context_.config.request_id_ttl / 2) return;
  id_ = RequestId::Make(WallNow(), loop_.random);
  id_made_at_ = Now();
}

void StoreStream::OnStored(uint64_t line, const std::string& key, const SpaceId& space,
                           const RoutedReply& reply) {
  --in_flight_;
  ids_in_flight_.erase(key);
  if (reply.message.ok()) {
    response_.set_stored(response_.stored() + 1);
    AddToShare(space, reply);
  } else {
    Fail(line, reply.message.status());
    overloaded_ = overloaded_ || CodeOf(reply.message.status()) == ErrorCode::kOverloaded;
  }
  if (held_.has_value() && !ids_in_flight_.contains(held_->key)) {
    Held held = *std::exchange(held_, std::nullopt);
    ids_in_flight_.insert(held.key);
    StoreLine(held.line, std::move(held.message));
  }
  ReadMore();
  FinishIfDone();
}

void StoreStream::AddToShare(const SpaceId& space, const RoutedReply& reply) {
  Share& share = shares_[{space.value(), reply.served_by.value()}];
  ++share.stored;
  v1::StoreResponse stored;
  if (!stored.ParseFromString(*reply.message)) return;
  share.newest = std::max(share.newest, FromProto(stored.version()));
}

void StoreStream::Fail(uint64_t line, const absl::Status& status) {
  response_.set_failed(response_.failed() + 1);
  if (response_.errors_size() >= kErrorsMax) return;
  v1::StreamError* error = response_.add_errors();
  error->set_line(line);
  error->mutable_error()->set_code(std::string(InfoOf(CodeOf(status)).name));
  error->mutable_error()->set_message(std::string(status.message()));
}

void StoreStream::FinishIfDone() {
  if (!client_done_ || in_flight_ > 0 || held_.has_value() || finished_) return;
  finished_ = true;
  for (const auto& [space_and_node, part] : shares_) {
    v1::StreamShare* share = response_.add_shares();
    share->set_space(space_and_node.first);
    share->set_node(space_and_node.second);
    share->set_stored(part.stored);
    *share->mutable_version() = ToProto(part.newest);
  }
  call_.AddTrailer(kMdServedBy, context_.self.view(), net::Recurrence::kRepeated);
  call_.Reply(response_.SerializeAsString());
}

}  // namespace

void ServeStoreStream(NodeContext& context, Router& router, net::ServerCall call) {
  auto id = RequestIdFrom(call.metadata(), context.StateOf(call.loop()));
  if (!id.ok()) return call.Finish(id.status());
  auto ack = AckFrom(call.metadata());
  if (!ack.ok()) return call.Finish(ack.status());
  bool ours = !call.metadata().Find(kMdRequestId).has_value();
  std::make_shared<StoreStream>(context, router, std::move(call), *id, ours, *ack)->Start();
}

}  // namespace engram::server
