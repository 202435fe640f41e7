// Plain connections, or TLS with one certificate file that both sides share.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "wire.h"

namespace engram::bench {

struct TlsFiles {
  std::string certificate;  // PEM; empty: no TLS
  std::string key;          // PEM; servers only
};

inline std::shared_ptr<grpc::ServerCredentials> ServerCredentialsOf(const TlsFiles& files) {
  if (files.certificate.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({ReadFile(files.key), ReadFile(files.certificate)});
  return grpc::SslServerCredentials(options);
}

// Trusts that certificate and no other.
inline std::shared_ptr<grpc::ChannelCredentials> ChannelCredentialsOf(const TlsFiles& files) {
  if (files.certificate.empty()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = ReadFile(files.certificate);
  return grpc::SslCredentials(options);
}

// A channel with a connection of its own, also when there are others to that address.
inline std::shared_ptr<grpc::Channel> ConnectApart(const std::string& address,
                                                   const TlsFiles& files) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, ChannelCredentialsOf(files), arguments);
}

}  // namespace engram::bench
