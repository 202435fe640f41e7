#include "engram/server/node_tls.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <string>
#include <string_view>
#include <utility>

#include "engram/base/error.h"

namespace engram::server {
namespace {

using net::TlsContext;
using net::TlsOptions;

void LogReload(std::string_view whose, const absl::Status& status) {
  if (status.ok()) return spdlog::info("TLS files have changed: in use for new {}", whose);
  spdlog::error("TLS files have changed, the former stay in use for new {}: {}", whose,
                std::string(status.message()));
}

TlsOptions WithCertificate(const NodeConfig& config, std::string_view whose) {
  TlsOptions options;
  options.certificate_file = config.tls_cert;
  options.key_file = config.tls_key;
  options.on_reload = [whose](const absl::Status& status) { LogReload(whose, status); };
  return options;
}

TlsOptions ServerTls(const NodeConfig& config) {
  TlsOptions options = WithCertificate(config, "connections from clients and nodes");
  options.ca_file = config.tls_client_ca;
  options.ca_key = "tls-client-ca";
  return options;
}

TlsOptions ChannelTls(const NodeConfig& config) {
  TlsOptions options = WithCertificate(config, "connections to other nodes");
  options.ca_file = config.tls_ca;
  options.expected_name = config.tls_name;
  return options;
}

absl::Status WithNextStep(const absl::Status& status) {
  const ErrorDetail detail = DetailOf(status);
  return MakeError(detail, fmt::format("{}; `engram serve --help` says what {} must be",
                                       std::string(status.message()), detail.field));
}

}  // namespace

absl::StatusOr<NodeTls> LoadTls(const NodeConfig& config) {
  if (config.tls_cert.empty()) return NodeTls{};
  auto server = TlsContext::Create(TlsContext::Side::kServer, ServerTls(config));
  if (!server.ok()) return WithNextStep(server.status());
  auto channels = TlsContext::Create(TlsContext::Side::kChannel, ChannelTls(config));
  if (!channels.ok()) return WithNextStep(channels.status());
  return NodeTls{*std::move(server), *std::move(channels)};
}

}  // namespace engram::server
