#include "interop/client.h"

namespace engram::interop {
namespace {

const char* NameOf(Method method) {
  switch (method) {
    case Method::kEmptyCall:
      return "EmptyCall";
    case Method::kUnaryCall:
      return "UnaryCall";
    case Method::kUnimplementedCall:
    case Method::kUnimplementedService:
      return "UnimplementedCall";
    case Method::kStreamingInputCall:
      return "StreamingInputCall";
    case Method::kStreamingOutputCall:
      return "StreamingOutputCall";
    case Method::kFullDuplexCall:
      return "FullDuplexCall";
    case Method::kHalfDuplexCall:
      return "HalfDuplexCall";
  }
  return "";
}

}  // namespace

std::string PathOf(Method method) {
  const bool unimplemented = method == Method::kUnimplementedService;
  return std::string("/grpc.testing.") + (unimplemented ? "UnimplementedService" : "TestService") +
         "/" + NameOf(method);
}

}  // namespace engram::interop
