#include "engram/routing/decision.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace engram::routing {
namespace {

constexpr std::array<std::string_view, kStrategyCount> kStrategyNames = {
    "local", "primary", "primary_with_fallback", "local_only", "scatter_gather"};
constexpr std::array<std::string_view, 4> kPreferenceNames = {"primary_preferred", "nearest",
                                                              "replica_preferred", "primary"};

enum class Role : uint8_t { kNone, kReplica, kPrimary };

// The table may still name this node for a space that it holds no more, or not yet.
Role RoleOf(const Knowledge& knowledge, const View& view) {
  if (!knowledge.held.has_value()) return Role::kNone;
  const Route& route = *Authority(knowledge, view);
  if (route.primary == view.self) return Role::kPrimary;
  return route.HeldBy(view.self) ? Role::kReplica : Role::kNone;
}

bool MayServe(Operation op, const ReadPolicy& policy, Role role) {
  if (IsWrite(op) ||
      (op != Operation::kConsolidate && policy.preference == ReadPreference::kPrimary)) {
    return role == Role::kPrimary;
  }
  return role != Role::kNone;
}

Strategy RemoteStrategy(Operation op) {
  return IsWrite(op) ? Strategy::kPrimary : Strategy::kPrimaryWithFallback;
}

// In the order to try, smaller first: a node that is gone or that asked for a pause is asked when
// nobody else is left.
auto Nearness(const NodeState& node, TimePoint now) {
  const Liveness liveness = node.liveness.load(std::memory_order_relaxed);
  const bool gone = liveness == Liveness::kDead || liveness == Liveness::kLeft;
  return std::tuple(gone, node.PushedBack(now), node.distance.load(std::memory_order_relaxed));
}

// Among equally near nodes two are drawn and the quicker one is asked first: as good as knowing the
// quickest, and no herd runs to one node. After Mitzenmacher, "The Power of Two Choices in
// Randomized Load Balancing" (2001).
void TwoChoices(std::span<NodeIndex> equals, const NodeTable& nodes, TimePoint now,
                std::mt19937_64& random) {
  if (equals.size() < 2) return;
  auto draw = [&](size_t from) {
    std::uniform_int_distribution<size_t> any(from, equals.size() - 1);
    std::swap(equals[from], equals[any(random)]);
  };
  draw(0);
  draw(1);
  auto cost = [&](NodeIndex node) { return nodes.Of(node).latency.Cost(now); };
  if (cost(equals[1]) < cost(equals[0])) std::swap(equals[0], equals[1]);
}

// Each node's state is read once: it may change meanwhile, which no sort survives.
void SortByNearness(std::span<NodeIndex> holders, const NodeTable& nodes, TimePoint now,
                    std::mt19937_64& random) {
  if (holders.size() < 2) return;
  using Keyed = std::pair<decltype(Nearness(nodes.Of(holders[0]), now)), NodeIndex>;
  absl::InlinedVector<Keyed, Route::kReplicasMax + 1> keyed;
  for (NodeIndex node : holders) keyed.emplace_back(Nearness(nodes.Of(node), now), node);
  std::stable_sort(keyed.begin(), keyed.end(),
                   [](const Keyed& a, const Keyed& b) { return a.first < b.first; });
  size_t equals = 0;
  for (size_t i = 0; i < keyed.size(); ++i) {
    holders[i] = keyed[i].second;
    equals += keyed[i].first == keyed[0].first ? 1 : 0;
  }
  TwoChoices(holders.first(equals), nodes, now, random);
}

// The primary to the front or to the back of the others; only a primary that is gone or asked for a
// pause is not put in front.
void PlacePrimary(ReadPreference preference, NodeList& holders, NodeIndex primary,
                  const NodeTable& nodes, TimePoint now) {
  auto at = std::find(holders.begin(), holders.end(), primary);
  if (at == holders.end()) return;
  if (preference == ReadPreference::kReplicaPreferred) {
    std::rotate(at, at + 1, holders.end());
  } else if (preference == ReadPreference::kPrimaryPreferred) {
    auto [gone, pushed_back, distance] = Nearness(nodes.Of(primary), now);
    if (!gone && !pushed_back) std::rotate(holders.begin(), at, at + 1);
  }
}

Decision LocalOnly(bool holds, const Knowledge& knowledge, const View& view) {
  Decision decision;
  decision.strategy = Strategy::kLocalOnly;
  decision.degraded = view.reach.partitioned;
  if (!holds) return decision;
  decision.version = Authority(knowledge, view)->version;
  decision.candidates.push_back(view.self);
  return decision;
}

// Nobody is known to hold the space: the ring's first holder may know, or will create it. If that
// is this node, which holds nothing, everybody has to be asked.
Decision ByRing(Operation op, const Knowledge& knowledge, const View& view) {
  Decision decision;
  decision.source = RouteSource::kRing;
  decision.strategy = RemoteStrategy(op);
  if (knowledge.proposed != view.self) decision.candidates.push_back(knowledge.proposed);
  return decision;
}

}  // namespace

std::string_view NameOf(Strategy strategy) { return kStrategyNames[static_cast<size_t>(strategy)]; }

std::string_view NameOf(RouteSource source) {
  return source == RouteSource::kAssignment ? "assignment" : "ring";
}

std::string_view NameOf(ReadPreference preference) {
  return kPreferenceNames[static_cast<size_t>(preference)];
}

std::optional<ReadPreference> ParseReadPreference(std::string_view name) {
  auto at = std::find(kPreferenceNames.begin(), kPreferenceNames.end(), name);
  if (at == kPreferenceNames.end()) return std::nullopt;
  return static_cast<ReadPreference>(at - kPreferenceNames.begin());
}

const Route* Authority(const Knowledge& knowledge, const View& view) {
  const Route* known = knowledge.known.has_value() ? &*knowledge.known : nullptr;
  if (!knowledge.held.has_value()) return known;
  const Route* held = &*knowledge.held;
  return known != nullptr && view.nodes.Newer(known->version, held->version) ? known : held;
}

NodeList OrderHolders(Operation op, const ReadPolicy& policy, const Route& route,
                      const NodeTable& nodes, TimePoint now, std::mt19937_64& random) {
  NodeList holders;
  if (route.primary != kNoNode) holders.push_back(route.primary);
  if (IsWrite(op) || policy.preference == ReadPreference::kPrimary) return holders;
  holders.insert(holders.end(), route.replicas().begin(), route.replicas().end());
  SortByNearness({holders.data(), holders.size()}, nodes, now, random);
  PlacePrimary(policy.preference, holders, route.primary, nodes, now);
  if (!policy.replica_fallback && holders.size() > 1) holders.resize(1);
  return holders;
}

Decision Decide(Operation op, const ReadPolicy& policy, const Knowledge& knowledge,
                const View& view, TimePoint now, std::mt19937_64& random) {
  const Role role = RoleOf(knowledge, view);
  if (op == Operation::kConsolidate || view.reach.partitioned) {
    return LocalOnly(role != Role::kNone, knowledge, view);
  }
  const Route* route = Authority(knowledge, view);
  if (route == nullptr) return ByRing(op, knowledge, view);
  Decision decision;
  decision.version = route->version;
  decision.replicated = route->replica_count > 0;
  if (MayServe(op, policy, role)) {
    decision.candidates.push_back(view.self);
    return decision;
  }
  decision.strategy = RemoteStrategy(op);
  decision.candidates = OrderHolders(op, policy, *route, view.nodes, now, random);
  // It is named, but holds nothing.
  NodeList& others = decision.candidates;
  if (role == Role::kNone)
    others.erase(std::remove(others.begin(), others.end(), view.self), others.end());
  return decision;
}

Ownership CheckOwnership(Operation op, const ReadPolicy& policy, const Knowledge& knowledge,
                         const View& view, bool create) {
  const Role role = RoleOf(knowledge, view);
  if (MayServe(op, policy, role) || (view.reach.partitioned && role != Role::kNone)) {
    return Ownership::kServe;
  }
  const Route* route = Authority(knowledge, view);
  if (route != nullptr && route->primary != view.self) return Ownership::kWrongNode;
  // Who is cut off does not know what the others have made.
  const bool creates = create && op == Operation::kStore && knowledge.proposed == view.self &&
                       !view.reach.partitioned;
  return creates && route == nullptr ? Ownership::kCreate : Ownership::kNotHere;
}

}  // namespace engram::routing
