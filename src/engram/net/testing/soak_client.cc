// Keeps streaming and unary calls going against net_echo_server, over several channels. It compares
// every echo, cancels some calls half-way and closes connections under others.
//
// Usage: net_soak_client PORT SECONDS; prints what was done, and fails if a call ended otherwise
// than it was made to.
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engram/net/channel.h"
#include "engram/net/event_loop.h"
#include "engram/net/testing/echo.h"

namespace engram::net::testing {
namespace {

constexpr int kChannels = 4;
constexpr int kCallsPerChannel = 16;
constexpr long kFailuresShown = 10;
constexpr Duration kLastCallsWithin = std::chrono::seconds(10);

struct Line {
  std::shared_ptr<Channel> channel;
  int closed = 0;  // how often its connection was closed under its calls
};

// One call; held by its own call-backs.
struct Conversation {
  explicit Conversation(Line& l) : line(l), closed_before(l.closed) {}

  // Whether a call may end so that was treated so.
  bool MayEndAs(const absl::Status& status) const {
    if (status.ok()) return awaited.empty();
    if (cancelled) return absl::IsCancelled(status);
    return closed_before != line.closed && absl::IsUnavailable(status);
  }

  Line& line;
  const int closed_before;
  std::unique_ptr<Channel::Stream> stream;  // null if unary
  std::deque<std::string> awaited;          // echoes, in their order
  bool cancelled = false;
};

// All of it is of the loop's thread but the constructor, destructor and ok().
class Soak {
 public:
  Soak(EventLoop& loop, const std::string& address) : loop_(loop), lines_(kChannels) {
    for (Line& line : lines_) line.channel = Channel::Create(loop, address, {});
  }

  void Begin() {
    for (Line& line : lines_) {
      for (int i = 0; i < kCallsPerChannel; ++i) Next(line);
    }
  }
  // No new calls; `ended` is told when the last one has ended.
  void End(std::promise<void>& ended) { last_ended_ = &ended; }

  bool ok() const { return failures_ == 0 && echoes_ > 0; }
  void Print() const {
    std::printf("%ld calls, %ld echoes, %ld calls cancelled, %ld lost with their connection\n",
                calls_, echoes_, cancelled_, lost_);
  }

 private:
  using ConversationPtr = std::shared_ptr<Conversation>;

  int Random(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  std::string RandomMessage() {
    return std::string(static_cast<size_t>(Random(20'000)), static_cast<char>('a' + Random(26)));
  }

  void Next(Line& line) {
    ++open_;
    ++calls_;
    auto call = std::make_shared<Conversation>(line);
    if (Random(4) == 0) {
      BeginUnary(call);
    } else {
      BeginStream(call);
    }
    if (Random(10'000) == 0) {
      ++line.closed;
      line.channel->Close();
    }
  }
  void BeginUnary(const ConversationPtr& call) {
    call->awaited.push_back(RandomMessage());
    call->line.channel->Unary(kUnary, {}, call->awaited.front(),
                              [this, call](const CallResult& result) {
                                if (result.status.ok()) Compare(*call, result.message);
                                HandleEnd(call, result.status);
                              });
  }
  void BeginStream(const ConversationPtr& call) {
    call->stream = call->line.channel->Open(
        kBidi, {}, [this, call](const CallResult& result) { HandleEnd(call, result.status); });
    for (int messages = Random(20); messages >= 0; --messages) {
      call->awaited.push_back(RandomMessage());
      call->stream->Send(call->awaited.back());
    }
    call->stream->SendDone();
    Read(call);
  }
  void Read(const ConversationPtr& call) {
    call->stream->Read([this, call](const std::optional<std::string>& message) {
      if (!message.has_value() || call->stream == nullptr) return;
      Compare(*call, *message);
      if (Random(200) == 0) {
        call->cancelled = true;
        call->stream->Cancel();
      } else {
        Read(call);
      }
    });
  }
  void Compare(Conversation& call, const std::string& echo) {
    ++echoes_;
    if (call.awaited.empty() || echo != call.awaited.front()) {
      if (++failures_ <= kFailuresShown) std::fprintf(stderr, "an echo is not what was sent\n");
    }
    if (!call.awaited.empty()) call.awaited.pop_front();
  }
  void HandleEnd(const ConversationPtr& call, const absl::Status& status) {
    if (!call->MayEndAs(status) && ++failures_ <= kFailuresShown) {
      std::fprintf(stderr, "a call ended with \"%s\", %zu echoes missing\n",
                   status.ToString().c_str(), call->awaited.size());
    }
    if (absl::IsCancelled(status)) ++cancelled_;
    if (absl::IsUnavailable(status)) ++lost_;
    --open_;
    // The stream ends after its call, but not from within it.
    loop_.Post([this, call] {
      call->stream.reset();
      if (last_ended_ == nullptr) return Next(call->line);
      if (open_ == 0) std::exchange(last_ended_, nullptr)->set_value();
    });
  }

  EventLoop& loop_;
  std::mt19937_64 random_{std::random_device()()};
  std::vector<Line> lines_;
  std::promise<void>* last_ended_ = nullptr;
  int open_ = 0;
  long calls_ = 0;
  long echoes_ = 0;
  long cancelled_ = 0;
  long lost_ = 0;
  long failures_ = 0;
};

int Run(const std::string& address, int seconds) {
  EventLoopGroup loops(1);
  Soak soak(loops.at(0), address);
  loops.Start();
  loops.at(0).Post([&] { soak.Begin(); });
  std::promise<void> ended;
  // Nothing else ends a soak than time.
  EventLoop::Timer end(loops.at(0));
  loops.at(0).Post([&] {
    end.RunAt(EventLoop::Now() + std::chrono::seconds(seconds), [&] { soak.End(ended); });
  });
  const bool all_ended = ended.get_future().wait_for(std::chrono::seconds(seconds) +
                                                     kLastCallsWithin) == std::future_status::ready;
  loops.Stop();
  if (!all_ended) std::fprintf(stderr, "some calls did not end\n");
  soak.Print();
  return all_ended && soak.ok() ? 0 : 1;
}

}  // namespace
}  // namespace engram::net::testing

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: net_soak_client PORT SECONDS\n");
    return 2;
  }
  return engram::net::testing::Run("127.0.0.1:" + std::string(argv[1]), std::atoi(argv[2]));
}
