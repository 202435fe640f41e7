// Spreading activation (ranking.h, step 3). Pure; touches only what can be reached from the seeds.
#pragma once

#include <algorithm>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engram/memory/document_table.h"
#include "engram/memory/link_table.h"

namespace engram::memory {

struct Seed {
  IdNumber id = 0;
  double activation = 0;  // (0, 1]
};

// What reached one memory over links.
struct Arrival {
  double activation = 0;         // summed over all sources
  double strongest = 0;          // the largest single contribution
  double source_activation = 0;  // of the memory that it came from
  IdNumber via = 0;              // that memory

  double Effective() const { return std::min(activation, source_activation); }
};

using Arrivals = absl::flat_hash_map<IdNumber, Arrival>;

// Ids of memories that do not exist may be among the arrivals. Names are asked only to settle ties
// by id.
Arrivals Spread(const std::vector<Seed>& seeds, const LinkTable& links,
                const DocumentTable& documents);

// Every link that Spread may take from some of `seeds`, when none of them is more active than given
// here: enough for somebody else to spread from the seeds that turn out to be the right ones. By
// the memory that they lead from.
using LinksTaken = absl::flat_hash_map<IdNumber, std::vector<OutLink>>;
LinksTaken LinksWithin(const std::vector<Seed>& seeds, const LinkTable& links,
                       const DocumentTable& documents);

}  // namespace engram::memory
