// A node's TLS, from its configuration: as the server of clients and other nodes, and as the client
// of other nodes.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "engram/net/tls.h"
#include "engram/server/config.h"

namespace engram::server {

// Both null: the node speaks plain HTTP/2.
struct NodeTls {
  std::shared_ptr<net::TlsContext> server;
  std::shared_ptr<net::TlsContext> channels;
};

// Reads the files. Errors name the configuration key, the file and the reason. Later changes of the
// files are logged, each by either side when it has its next connection.
absl::StatusOr<NodeTls> LoadTls(const NodeConfig& config);

}  // namespace engram::server
