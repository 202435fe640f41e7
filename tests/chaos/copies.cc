#include "chaos/copies.h"

#include <fmt/format.h>

#include <future>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "engram/base/error.h"
#include "engram/v1/cluster.pb.h"

namespace engram::testing {
namespace {

constexpr std::chrono::seconds kLimit{5};

std::pair<uint64_t, uint64_t> AgeOf(const v1::Version& version) {
  return {version.epoch().counter(), version.sequence()};
}

std::vector<size_t> HoldersIn(const TestCluster& cluster, const v1::ResolveRouteResponse& route) {
  std::vector<size_t> holders = {static_cast<size_t>(cluster.IndexOf(route.primary().id()))};
  for (const v1::NodeAddress& replica : route.replicas()) {
    holders.push_back(static_cast<size_t>(cluster.IndexOf(replica.id())));
  }
  return holders;
}

absl::StatusOr<std::vector<size_t>> HoldersOf(const TestCluster& cluster, const SpaceId& space) {
  v1::ResolveRouteRequest question;
  question.set_space(space.value());
  v1::ResolveRouteResponse newest;
  for (const int i : cluster.Indexes()) {
    auto route = cluster.Client({i}, kLimit)->ResolveRoute(question);
    if (!route.ok()) return route.status();
    if (route->message.source() != "assignment") continue;
    if (AgeOf(route->message.version()) >= AgeOf(newest.version())) newest = route->message;
  }
  if (newest.primary().id().empty()) {
    return MakeError(ErrorCode::kNoAssignment, "nobody knows who holds " + space.value());
  }
  return HoldersIn(cluster, newest);
}

absl::StatusOr<Held> ReadOne(Asker& asker, size_t holder, const NodeId& node, const SpaceId& space,
                             const std::string& id) {
  Operation get;
  get.space = space;
  get.id = MemoryId(id);
  Operation told;
  const auto answers_by_itself = [&] {
    told = asker.Ask(get, {.entry = holder, .timeout = kLimit, .from = ReadFrom::kAskedNode});
    return told.outcome == Outcome::kOk && told.served_by == node;
  };
  // A channel to a node that has just come back may still wait before it connects again.
  if (!Eventually(answers_by_itself, kLimit)) {
    return MakeError(
        ErrorCode::kInternal,
        fmt::format("{} does not answer for {}/{} by itself: served by '{}', outcome {}",
                    node.view(), space.view(), id, told.served_by.view(),
                    static_cast<int>(told.outcome)));
  }
  return Held{0, space, node, told.id, told.revisions};
}

absl::Status ReadCopy(Asker& asker, size_t holder, const NodeId& node, const SpaceId& space,
                      const std::set<std::string>& ids, Copies& out) {
  out.copies.push_back({0, space, node});
  for (const std::string& id : ids) {
    auto held = ReadOne(asker, holder, node, space, id);
    if (!held.ok()) return held.status();
    if (!held->revisions.empty()) out.held.push_back(*std::move(held));
  }
  return absl::OkStatus();
}

absl::StatusOr<Copies> ReadSpace(const TestCluster& cluster, Asker& asker, const SpaceId& space,
                                 const std::set<std::string>& ids) {
  const auto holders = HoldersOf(cluster, space);
  if (!holders.ok()) return holders.status();
  Copies out;
  for (const size_t holder : *holders) {
    const NodeId node(cluster.Name(static_cast<int>(holder)));
    absl::Status status = ReadCopy(asker, holder, node, space, ids, out);
    if (!status.ok()) return status;
  }
  return out;
}

using Inspected = peer::v1::InspectCopyResponse;

bool AreOne(const Inspected& a, const Inspected& b) {
  const v1::Epoch& epoch = a.last().epoch();
  return a.digest_high() == b.digest_high() && a.digest_low() == b.digest_low() &&
         AgeOf(a.last()) == AgeOf(b.last()) && epoch.primary() == b.last().epoch().primary() &&
         a.outbox_entries() == 0 && b.outbox_entries() == 0;
}

std::string Describe(const std::string& node, const absl::StatusOr<Inspected>& copy) {
  if (!copy.ok()) return fmt::format("{} ({})", node, std::string(copy.status().message()));
  const v1::Version& last = copy->last();
  return fmt::format("{} has {:016x}{:016x} up to {} of epoch ({}, {}), outbox {}", node,
                     copy->digest_high(), copy->digest_low(), last.sequence(),
                     last.epoch().counter(), last.epoch().primary(), copy->outbox_entries());
}

absl::Status CheckSpaceEqual(const TestCluster& cluster, TestHooks& hooks, const SpaceId& space) {
  const auto holders = HoldersOf(cluster, space);
  if (!holders.ok()) return holders.status();
  std::string told = fmt::format("copies of {} are not equal:", space.view());
  std::optional<Inspected> first;
  bool equal = true;
  for (const size_t holder : *holders) {
    const auto copy = hooks.InspectCopy(static_cast<int>(holder), space.value());
    if (!first && copy.ok()) first = *copy;
    equal = equal && copy.ok() && AreOne(*first, *copy);
    told += " " + Describe(cluster.Name(static_cast<int>(holder)), copy) + ";";
  }
  return equal ? absl::OkStatus() : MakeError(ErrorCode::kInternal, told);
}

}  // namespace

absl::Status CheckCopiesEqual(const TestCluster& cluster, TestHooks& hooks,
                              const std::vector<SpaceId>& spaces) {
  for (const SpaceId& space : spaces) {
    absl::Status equal = CheckSpaceEqual(cluster, hooks, space);
    if (!equal.ok()) return equal;
  }
  return absl::OkStatus();
}

absl::StatusOr<Copies> ReadCopies(const TestCluster& cluster, Asker& asker, const MemoryIds& ids) {
  std::vector<std::future<absl::StatusOr<Copies>>> spaces;
  for (const auto& one : ids) {
    spaces.push_back(std::async(std::launch::async,
                                [&] { return ReadSpace(cluster, asker, one.first, one.second); }));
  }
  Copies out;
  absl::Status status;
  for (auto& space : spaces) {
    auto copies = space.get();
    status.Update(copies.status());
    if (!copies.ok()) continue;
    out.copies.insert(out.copies.end(), copies->copies.begin(), copies->copies.end());
    out.held.insert(out.held.end(), copies->held.begin(), copies->held.end());
  }
  if (!status.ok()) return status;
  return out;
}

}  // namespace engram::testing
