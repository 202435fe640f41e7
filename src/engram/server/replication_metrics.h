// The metrics of the streams that replication goes over.
#pragma once

#include "engram/cluster/replication_counters.h"
#include "engram/server/metric_families.h"

namespace engram::server {

void AddReplication(Families& out, const cluster::ReplicationCounters& counters);

}  // namespace engram::server
