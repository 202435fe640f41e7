// TLS for our side of the bench: one certificate that both sides share, or none.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "engram/net/tls.h"

namespace engram::bench {

// Null without a certificate; ends the program when the files cannot be used.
inline std::shared_ptr<net::TlsContext> TlsContextOf(net::TlsContext::Side side,
                                                     const std::string& certificate,
                                                     const std::string& key) {
  if (certificate.empty()) return nullptr;
  net::TlsOptions options;
  if (side == net::TlsContext::Side::kServer) {
    options.certificate_file = certificate;
    options.key_file = key;
  } else {
    options.ca_file = certificate;
  }
  auto context = net::TlsContext::Create(side, std::move(options));
  if (!context.ok()) {
    std::fprintf(stderr, "%s\n", std::string(context.status().message()).c_str());
    std::exit(1);
  }
  return *std::move(context);
}

}  // namespace engram::bench
