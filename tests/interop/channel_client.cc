// The interop cases over our own Channel.
//
// Usage: interop_channel_client --address HOST:PORT [--only WORD]
#include <cstdio>
#include <future>
#include <optional>
#include <string>
#include <utility>

#include "engram/net/channel.h"
#include "interop/cases.h"
#include "interop/client.h"
#include "interop/client_arguments.h"

namespace engram::interop {
namespace {

using net::CallResult;
using net::Channel;
using net::EventLoop;

// Runs `f` on the loop and waits for its result; `f` may not return void.
template <class F>
auto RunOn(EventLoop& loop, F f) {
  std::promise<decltype(f())> promise;
  loop.Post([&] { promise.set_value(f()); });
  return promise.get_future().get();
}

net::CallOptions ToOptions(const CallSettings& settings) {
  net::CallOptions options;
  options.deadline = EventLoop::Now() + settings.timeout;
  for (const auto& [name, value] : settings.metadata) options.metadata.Add(name, value);
  return options;
}

Headers ToHeaders(const net::Metadata& metadata) {
  Headers headers;
  for (const net::MetadataEntry& entry : metadata.entries())
    headers.emplace(entry.name, entry.value);
  return headers;
}

Outcome ToOutcome(const CallResult& result) {
  return {static_cast<int>(result.status.code()), std::string(result.status.message()),
          ToHeaders(result.initial), ToHeaders(result.trailing)};
}

class ChannelStream final : public ClientStream {
 public:
  ChannelStream(EventLoop& loop, Channel& channel, Method method, const CallSettings& settings)
      : loop_(loop), ended_(end_.get_future()) {
    stream_ = RunOn(loop_, [&] {
      return channel.Open(PathOf(method), ToOptions(settings),
                          [this](CallResult result) { end_.set_value(std::move(result)); });
    });
  }
  ~ChannelStream() override {
    RunOn(loop_, [&] { return std::exchange(stream_, nullptr) != nullptr; });
    if (ended_.valid()) ended_.wait();
  }

  bool Write(const Message& message) override {
    return RunOn(loop_, [&] { return stream_->Send(message.SerializeAsString()); });
  }
  void WritesDone() override {
    RunOn(loop_, [&] { return stream_->SendDone(), true; });
  }
  bool Read(Message& message) override {
    std::promise<std::optional<std::string>> promise;
    loop_.Post([&] {
      stream_->Read([&](std::optional<std::string> bytes) { promise.set_value(std::move(bytes)); });
    });
    const std::optional<std::string> bytes = promise.get_future().get();
    return bytes.has_value() && message.ParseFromString(*bytes);
  }
  void Cancel() override {
    RunOn(loop_, [&] { return stream_->Cancel(), true; });
  }
  Outcome Finish() override { return ToOutcome(ended_.get()); }

 private:
  EventLoop& loop_;
  std::promise<CallResult> end_;
  std::future<CallResult> ended_;
  std::unique_ptr<Channel::Stream> stream_;
};

class ChannelClient final : public Client {
 public:
  ChannelClient(EventLoop& loop, Channel& channel) : loop_(loop), channel_(channel) {}

  Outcome Call(Method method, const CallSettings& settings, const Message& request,
               Message& response) override {
    std::promise<CallResult> promise;
    loop_.Post([&] {
      channel_.Unary(PathOf(method), ToOptions(settings), request.SerializeAsString(),
                     [&](CallResult result) { promise.set_value(std::move(result)); });
    });
    const CallResult result = promise.get_future().get();
    Outcome outcome = ToOutcome(result);
    if (result.status.ok() && !response.ParseFromString(result.message)) {
      outcome.message = "the response does not parse";
      outcome.code = -1;
    }
    return outcome;
  }

  std::unique_ptr<ClientStream> Open(Method method, const CallSettings& settings) override {
    return std::make_unique<ChannelStream>(loop_, channel_, method, settings);
  }

 private:
  EventLoop& loop_;
  Channel& channel_;
};

}  // namespace
}  // namespace engram::interop

int main(int argc, char** argv) {
  using namespace engram;
  const auto arguments = interop::ParseArguments(argc, argv);
  if (!arguments.has_value()) {
    std::fprintf(stderr, "usage: interop_channel_client --address HOST:PORT [--only WORD]\n");
    return 2;
  }
  net::EventLoop loop;
  const auto channel = net::Channel::Create(loop, arguments->address, {});
  loop.Start();
  interop::ChannelClient client(loop, *channel);
  const int code = interop::RunCases(client, "net::Channel", arguments->only);
  loop.Stop();
  return code;
}
