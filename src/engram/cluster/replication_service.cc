#include "engram/cluster/replication_service.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engram/base/error.h"
#include "engram/cluster/gossip_methods.h"
#include "engram/cluster/sender_check.h"

namespace engram::cluster {

// Belongs to the call's loop; held by the service until it has ended.
class ReplicationService::Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(ReplicationService& service, net::ServerCall call)
      : service_(service), links_(service.links_), call_(std::move(call)), loop_(call_.loop()) {}

  void Start() {
    call_.SetBudgetFloor(kBudgetFloor);
    call_.OnCancel([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->Forget();
    });
    ReadMore();
  }

  void Leave() { End(absl::OkStatus()); }

  net::EventLoop& loop() const { return loop_; }

 private:
  // The largest frame twice: else what others hold would end it.
  static constexpr size_t kBudgetFloor = 8u << 20;

  void ReadMore() {
    if (ended_ || reading_ || unhandled_ >= kUnhandledMax) return;
    reading_ = true;
    call_.Read([weak = weak_from_this()](std::optional<std::string> message) {
      auto self = weak.lock();
      if (self == nullptr) return;
      self->reading_ = false;
      if (!message.has_value()) return self->End(absl::OkStatus());
      self->Take(*message);
      self->ReadMore();
    });
  }

  void Take(const std::string& bytes) {
    absl::StatusOr<Frame> frame = DecodeFrame(bytes);
    absl::Status status = frame.status();
    if (status.ok()) status = TakeHello(frame->head.hello);
    if (status.ok()) return HandOver(*std::move(frame), bytes.size());
    links_.loop().Post([&links = links_] { links.CountRefused(); });
    End(status);
  }

  absl::Status TakeHello(const std::optional<ReplicationHello>& hello) {
    if (hello.has_value() == (life_ != 0)) {
      return InvalidArgument("hello", "the first frame of a stream has one, and no other");
    }
    if (!hello.has_value()) return absl::OkStatus();
    if (hello->receiver != links_.self()) {
      return InvalidArgument(
          "receiver",
          fmt::format("this is node {}, not {}", links_.self().value(), hello->receiver.value()));
    }
    if (hello->sender == links_.self()) {
      return InvalidArgument("sender", "the node has the name of this one");
    }
    sender_ = hello->sender;
    life_ = hello->life;
    call_.SendHeaders();
    return absl::OkStatus();
  }

  void HandOver(Frame frame, size_t bytes) {
    ++unhandled_;
    links_.loop().Post([&links = links_, &loop = loop_, weak = weak_from_this(), from = sender_,
                        life = life_, frame = std::move(frame), bytes]() mutable {
      links.Deliver(from, life, std::move(frame), bytes);
      loop.Post([weak = std::move(weak)] {
        if (auto self = weak.lock()) self->Handled();
      });
    });
  }

  void Handled() {
    --unhandled_;
    ReadMore();
  }

  void End(const absl::Status& status) {
    if (ended_) return;
    if (status.ok()) {
      call_.Reply(peer::v1::ReplicateResponse().SerializeAsString());
    } else {
      call_.Finish(status);
    }
    Forget();
  }

  void Forget() {
    if (!std::exchange(ended_, true)) service_.Forget(shared_from_this());
  }

  ReplicationService& service_;
  ReplicationLinks& links_;
  net::ServerCall call_;
  net::EventLoop& loop_;
  NodeId sender_;
  uint64_t life_ = 0;  // the sender's; 0 before it has said hello
  int unhandled_ = 0;
  bool reading_ = false;
  bool ended_ = false;
};

ReplicationService::ReplicationService(ReplicationLinks& links) : links_(links) {}

ReplicationService::~ReplicationService() = default;

void ReplicationService::AddTo(net::Server& server) {
  server.AddStream(kReplicateMethod, [this](net::ServerCall call) { Serve(std::move(call)); });
}

void ReplicationService::Serve(net::ServerCall call) {
  if (absl::Status status = CheckSender(links_.directory(), call); !status.ok()) {
    return call.Finish(status);
  }
  std::shared_ptr<Stream> stream;
  {
    WriterLock lock(&mutex_);
    if (!leaving_) {
      stream = std::make_shared<Stream>(*this, std::move(call));
      streams_.insert(stream);
    }
  }
  if (stream != nullptr) return stream->Start();
  // NOLINTNEXTLINE(bugprone-use-after-move): only a stream takes it, and there is none.
  call.Reply(peer::v1::ReplicateResponse().SerializeAsString());
}

void ReplicationService::Forget(const std::shared_ptr<Stream>& stream) {
  WriterLock lock(&mutex_);
  streams_.erase(stream);
}

void ReplicationService::Leave() {
  WriterLock lock(&mutex_);
  leaving_ = true;
  for (const std::shared_ptr<Stream>& stream : streams_) {
    stream->loop().Post([weak = std::weak_ptr<Stream>(stream)] {
      if (auto self = weak.lock()) self->Leave();
    });
  }
}

}  // namespace engram::cluster
