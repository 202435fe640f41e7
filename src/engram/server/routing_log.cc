#include "engram/server/routing_log.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "engram/base/error.h"

namespace engram::server {

std::optional<uint64_t> LogLimiter::Admit(RoutingEvent event, std::string_view node,
                                          TimePoint now) {
  std::string key(1, static_cast<char>(event));
  key += node;
  auto [it, is_new] = states_.try_emplace(std::move(key), State{now});
  State& state = it->second;
  if (!is_new && now - state.logged < kInterval) {
    ++state.left_out;
    return std::nullopt;
  }
  state.logged = now;
  return std::exchange(state.left_out, 0);
}

bool LoggedBreakers::Set(const std::string& name, bool open) {
  WriterLock lock(&mutex_);
  return open ? open_.insert(name).second : open_.erase(name) > 0;
}

void RoutingLog::Attempts(const SpaceId& space, std::span<const routing::AttemptRecord> attempts,
                          TimePoint now) {
  for (size_t i = 1; i < attempts.size(); ++i) {
    const routing::AttemptRecord& before = attempts[i - 1];
    if (before.outcome == "redirect") {
      Redirect(space, before.node, attempts[i].node, now);
    } else if (before.node != attempts[i].node) {
      Fallback(space, before, attempts[i].node, now);
    }
  }
}

void RoutingLog::OneOfMany(const routing::AttemptRecord& attempt, TimePoint now) {
  // No space and no node has this name.
  static const SpaceId kSeveral("*");
  if (attempt.outcome == "redirect") return Redirect(kSeveral, attempt.node, "*", now);
  if (!attempt.error.ok()) Fallback(kSeveral, attempt, "*", now);
}

void RoutingLog::Breaker(const NodeId& node, std::string_view operations,
                         const routing::CircuitBreaker& breaker, TimePoint now) {
  const bool closed = breaker.state(now) == routing::CircuitBreaker::State::kClosed;
  std::string key = fmt::format("{} {}", operations, node.value());
  const bool changed = closed ? open_.erase(key) > 0 : open_.insert(key).second;
  if (!changed || !logged_.Set(key, !closed)) return;
  const auto left_out = limiter_.Admit(RoutingEvent::kBreaker, key, now);
  if (!left_out.has_value()) return;
  spdlog::warn("event=breaker node={} operations={} state={} openings={} left_out={}", node.value(),
               operations, closed ? "closed" : "open", breaker.openings(), *left_out);
}

void RoutingLog::Fallback(const SpaceId& space, const routing::AttemptRecord& failed,
                          std::string_view to, TimePoint now) {
  const auto left_out = limiter_.Admit(RoutingEvent::kFallback, failed.node, now);
  if (!left_out.has_value()) return;
  spdlog::warn("event=fallback node={} to={} space={} error={} left_out={}", failed.node, to,
               space.value(), InfoOf(CodeOf(failed.error)).name, *left_out);
}

void RoutingLog::Redirect(const SpaceId& space, std::string_view from, std::string_view to,
                          TimePoint now) {
  const auto left_out = limiter_.Admit(RoutingEvent::kRedirect, from, now);
  if (!left_out.has_value()) return;
  spdlog::info("event=redirect node={} to={} space={} left_out={}", from, to, space.value(),
               *left_out);
}

}  // namespace engram::server
