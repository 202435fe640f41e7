#include "engram/memory/activation.h"

#include <algorithm>
#include <span>

#include "engram/memory/ranking.h"

namespace engram::memory {
namespace {

// Sums of the same numbers in another order differ by less.
constexpr double kRoundingSlack = 1 - 1e-9;

// The strongest links, ties by target id; all of them if they are few.
std::vector<OutLink> Strongest(std::span<const OutLink> links, const DocumentTable& documents) {
  std::vector<OutLink> chosen(links.begin(), links.end());
  if (chosen.size() <= kFanOut) return chosen;
  auto stronger = [&](const OutLink& a, const OutLink& b) {
    if (a.weight != b.weight) return a.weight > b.weight;
    return documents.Name(a.to) < documents.Name(b.to);
  };
  std::partial_sort(chosen.begin(), chosen.begin() + kFanOut, chosen.end(), stronger);
  chosen.resize(kFanOut);
  return chosen;
}

void Arrive(const Seed& from, const OutLink& link, const DocumentTable& documents,
            Arrivals& arrivals) {
  const double contribution = from.activation * link.weight * kDecay;
  if (link.to == from.id || contribution < kThreshold) return;
  Arrival& arrival = arrivals[link.to];
  arrival.activation += contribution;
  const bool stronger =
      contribution > arrival.strongest ||
      (contribution == arrival.strongest && documents.Name(from.id) < documents.Name(arrival.via));
  if (!stronger) return;
  arrival.strongest = contribution;
  arrival.source_activation = from.activation;
  arrival.via = from.id;
}

// By id, so that sums of floats are formed in the same order everywhere.
std::vector<Seed> InOrder(std::vector<Seed> seeds, const DocumentTable& documents) {
  std::sort(seeds.begin(), seeds.end(), [&](const Seed& a, const Seed& b) {
    return documents.Name(a.id) < documents.Name(b.id);
  });
  return seeds;
}

}  // namespace

Arrivals Spread(const std::vector<Seed>& seeds, const LinkTable& links,
                const DocumentTable& documents) {
  Arrivals arrivals;
  absl::flat_hash_map<IdNumber, double> fired;
  std::vector<Seed> wave = InOrder(seeds, documents);
  for (int hop = 0; hop < kHops && !wave.empty(); ++hop) {
    for (const Seed& from : wave) {
      fired.emplace(from.id, from.activation);
      for (const OutLink& link : Strongest(links.From(from.id), documents)) {
        Arrive(from, link, documents, arrivals);
      }
    }
    // A memory passes activation on once: a circle of links does not amplify itself.
    std::vector<Seed> next;
    for (const auto& [id, arrival] : arrivals) {
      if (!fired.contains(id)) next.push_back({id, arrival.Effective()});
    }
    wave = InOrder(std::move(next), documents);
  }
  return arrivals;
}

LinksTaken LinksWithin(const std::vector<Seed>& seeds, const LinkTable& links,
                       const DocumentTable& documents) {
  LinksTaken taken;
  absl::flat_hash_map<IdNumber, double> most;  // that a memory may pass on
  absl::flat_hash_map<IdNumber, double> arrived;
  std::vector<IdNumber> wave;
  for (const Seed& seed : seeds) {
    most[seed.id] = seed.activation;
    wave.push_back(seed.id);
  }
  for (int hop = 0; hop < kHops; ++hop) {
    for (IdNumber from : wave) {
      std::vector<OutLink>& chosen = taken[from];
      chosen.clear();
      for (const OutLink& link : Strongest(links.From(from), documents)) {
        const double contribution = most[from] * link.weight * kDecay;
        if (link.to == from || contribution < kThreshold * kRoundingSlack) continue;
        chosen.push_back(link);
        arrived[link.to] += contribution;
      }
    }
    wave.clear();
    for (const auto& [id, sum] : arrived) {
      double& bound = most[id];
      if (std::min(sum, 1.0) <= bound) continue;
      bound = std::min(sum, 1.0);
      wave.push_back(id);
    }
  }
  return taken;
}

}  // namespace engram::memory
