// The command line of the C++ clients.
#pragma once

#include <optional>
#include <string>

namespace engram::interop {

struct ClientArguments {
  std::string address;  // HOST:PORT
  std::string only;     // a word in the names of the cases to run
  std::string api;      // of gRPC's library
};

// nullopt: wrong usage.
inline std::optional<ClientArguments> ParseArguments(int argc, char** argv) {
  ClientArguments arguments;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    std::string* value = name == "--address" ? &arguments.address
                         : name == "--only"  ? &arguments.only
                         : name == "--api"   ? &arguments.api
                                             : nullptr;
    if (value == nullptr || i + 1 == argc) return std::nullopt;
    *value = argv[i + 1];
  }
  if (arguments.address.empty()) return std::nullopt;
  return arguments;
}

}  // namespace engram::interop
