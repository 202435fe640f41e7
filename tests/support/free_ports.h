// Ports for tests that listen. Thread-safety: one thread at a time.
#pragma once

#include <vector>

namespace engram::testing {

// `count` TCP ports on loopback that nobody listens on. They lie below the range from which the
// kernel takes the ports of outgoing connections, and no other process that asks here is given them
// until this one ends: between choosing a port and listening on it nobody else can take it. The
// two ports above each are free, too: a node's HTTP, and UDP for its gossip.
std::vector<int> FreePorts(int count);

// One that leaves room above it for `engram up --nodes N --base-port`, N up to 5.
int FreeBasePort();

}  // namespace engram::testing
