#include "chaos/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>
#include <utility>

#include "engram/base/ulid.h"
#include "engram/client/client.h"

namespace engram::testing {
namespace {

constexpr int kTriesMax = 4;
constexpr Duration kShort = std::chrono::seconds(3);
constexpr Duration kLong = std::chrono::seconds(10);

class LoadClient {
 public:
  LoadClient(const LoadOptions& options, size_t number, Asker& asker, Recorder& record,
             const std::atomic<bool>& stop)
      : options_(options),
        name_(fmt::format("c{}", number)),
        home_(number % asker.size()),
        asker_(asker),
        record_(record),
        stop_(stop),
        random_(options.seed * 1'000'003 + number) {}

  void Run() {
    while (!stop_) {
      Operation op = NewOperation();
      if (op.kind == OperationKind::kGet) {
        record_.Add(asker_.Ask(std::move(op), {.entry = Entry(), .timeout = kShort}));
      } else {
        Write(op);
      }
      Pause();
    }
  }

 private:
  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }
  bool Chance(size_t percent) { return Below(100) < percent; }

  size_t Entry() { return Chance(85) ? home_ : Below(asker_.size()); }

  Operation NewOperation() {
    Operation op;
    const size_t dice = Below(100);
    op.kind = dice < 40   ? OperationKind::kStore
              : dice < 48 ? OperationKind::kForget
                          : OperationKind::kGet;
    op.client = name_;
    op.space = options_.spaces[Below(options_.spaces.size())];
    op.id = MemoryId(fmt::format("m{}", Below(options_.memories)));
    if (op.kind == OperationKind::kGet) {
      op.token = newest_[op.space.value()];
      return op;
    }
    op.request = client::NewRequestId().ToString();
    op.ack = Chance(70) ? AckLevel::kPrimary : Chance(80) ? AckLevel::kQuorum : AckLevel::kAll;
    if (op.kind == OperationKind::kStore) {
      if (Chance(15)) op.id = MemoryId();  // a new one
      op.revisions = {{"v" + op.request, {}}};
    }
    return op;
  }

  // Until its end is clear, or the client has had enough.
  void Write(const Operation& asked) {
    const Duration timeout = Chance(80) ? kShort : kLong;
    size_t entry = Entry();
    for (int tries = 1;; ++tries) {
      const Operation told =
          asker_.Ask(asked, {.entry = entry, .timeout = timeout, .first_try = tries == 1});
      record_.Add(told);
      if (told.outcome == Outcome::kOk) newest_[told.space.value()] = told.version;
      if (told.outcome != Outcome::kUnknown || tries == kTriesMax || stop_ || Chance(25)) {
        return;
      }
      entry = Below(asker_.size());
    }
  }

  void Pause() {
    std::exponential_distribution<double> pause(
        1 / std::chrono::duration<double>(options_.pause).count());
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(pause(random_), 1.0)));
  }

  const LoadOptions& options_;
  const std::string name_;
  const size_t home_;
  Asker& asker_;
  Recorder& record_;
  const std::atomic<bool>& stop_;
  std::mt19937_64 random_;
  std::map<std::string, Version> newest_;  // of its own writes, by space: its session tokens
};

}  // namespace

Load::Load(const LoadOptions& options, Asker& asker, Recorder& record) {
  for (size_t number = 0; number < options.clients; ++number) {
    clients_.emplace_back([this, options, number, &asker, &record] {
      LoadClient(options, number, asker, record, stop_).Run();
    });
  }
}

void Load::Stop() {
  stop_ = true;
  for (std::thread& client : clients_) {
    if (client.joinable()) client.join();
  }
}

}  // namespace engram::testing
