#include "engram/cluster/seeds.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "engram/base/error.h"

namespace engram::cluster {
namespace {

using net::EventLoop;

absl::Status Check(const SeedsOptions& options) {
  for (const std::string& server : options.dns.servers) {
    if (absl::Status status = CheckDnsServer(server); !status.ok()) return status;
  }
  if (options.seeds.size() > Seeds::kSeedsMax) {
    return InvalidArgument("seeds", fmt::format("{} seeds are more than {}; one DNS name may stand "
                                                "for many",
                                                options.seeds.size(), Seeds::kSeedsMax));
  }
  if (options.refresh > Duration::zero()) return absl::OkStatus();
  return InvalidArgument("dns-refresh", "dns-refresh must be more than 0");
}

absl::StatusOr<std::vector<Seed>> ParseSeeds(const std::vector<std::string>& texts) {
  std::vector<Seed> seeds;
  for (const std::string& text : texts) {
    absl::StatusOr<Seed> seed = ParseSeed(text);
    if (!seed.ok()) return seed.status();
    seeds.push_back(*std::move(seed));
  }
  return seeds;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Seeds>> Seeds::Make(EventLoop& loop, const SeedsOptions& options) {
  if (absl::Status status = Check(options); !status.ok()) return status;
  absl::StatusOr<std::vector<Seed>> seeds = ParseSeeds(options.seeds);
  if (!seeds.ok()) return seeds.status();
  absl::StatusOr<std::vector<Seed>> own = ParseSeeds(options.own);
  if (!own.ok()) return own.status();
  SeedList list(*seeds, *own, options.refresh, EventLoop::Now());
  return std::unique_ptr<Seeds>(new Seeds(loop, options, std::move(list)));
}

Seeds::Seeds(EventLoop& loop, const SeedsOptions& options, SeedList list)
    : resolver_(loop, options.dns), list_(std::move(list)), timer_(loop) {}

void Seeds::Start(Changed changed) {
  changed_ = std::move(changed);
  ResolveDue();
}

void Seeds::ResolveDue() {
  for (const size_t i : list_.TakeDue(EventLoop::Now())) {
    const Seed& seed = list_.seed(i);
    auto answered = [this, i](const absl::StatusOr<std::vector<std::string>>& answer) {
      OnAnswer(i, answer);
    };
    if (seed.kind == Seed::Kind::kService) {
      resolver_.ResolveService(seed.host, std::move(answered));
    } else {
      resolver_.ResolveHost(seed.host, seed.port, std::move(answered));
    }
  }
  const TimePoint next = list_.NextWake();
  if (next != kNever) timer_.RunAt(next, [this] { ResolveDue(); });
}

void Seeds::OnAnswer(size_t index, const absl::StatusOr<std::vector<std::string>>& answer) {
  (answer.ok() ? counters_.resolved : counters_.failed).Add();
  const bool was_settled = list_.settled();
  const SeedList::Outcome outcome = list_.OnAnswer(index, answer, EventLoop::Now());
  if (outcome.health_changed) LogHealth(list_.seed(index), answer.status());
  timer_.RunAt(list_.NextWake(), [this] { ResolveDue(); });
  if (outcome.list_changed || was_settled != list_.settled()) changed_();
}

void Seeds::LogHealth(const Seed& seed, const absl::Status& status) const {
  if (status.ok()) {
    spdlog::info("event=seed_resolved seed={}", seed.Text());
  } else {
    spdlog::warn("event=seed_unresolved seed={} reason=\"{}\"", seed.Text(),
                 std::string(status.message()));
  }
}

}  // namespace engram::cluster
