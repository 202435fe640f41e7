// The metrics of the control plane: who is in the cluster, and what gossip does.
#pragma once

#include "engram/cluster/directory.h"
#include "engram/server/metric_families.h"

namespace engram::server {

void AddCluster(Families& out, const cluster::Directory& directory);

}  // namespace engram::server
