#include "engram/server/reflection_service.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpc/health/v1/health.pb.h>
#include <grpc/reflection/v1/reflection.pb.h>
#include <grpc/reflection/v1alpha/reflection.pb.h>

#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "engram/v1/cluster.pb.h"
#include "engram/v1/error.pb.h"
#include "engram/v1/memory.pb.h"
#include "engram/v1/spaces.pb.h"

namespace engram::server {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;
using net::ServerCall;

void SetError(absl::StatusCode code, const std::string& message,
              ServerReflectionResponse& response) {
  response.mutable_error_response()->set_error_code(static_cast<int>(code));
  response.mutable_error_response()->set_error_message(message);
}

// A file and all that it imports, so that the caller need not ask for each.
void AddWithImports(const FileDescriptor* file, std::set<const FileDescriptor*>& seen,
                    ServerReflectionResponse& response) {
  if (!seen.insert(file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  response.mutable_file_descriptor_response()->add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i)
    AddWithImports(file->dependency(i), seen, response);
}

void SetFile(const FileDescriptor* file, const std::string& name,
             ServerReflectionResponse& response) {
  if (file == nullptr) {
    return SetError(absl::StatusCode::kNotFound, fmt::format("there is no '{}'", name), response);
  }
  std::set<const FileDescriptor*> seen;
  AddWithImports(file, seen, response);
}

// proto3 has no extensions but of options; a known type simply has none here.
void SetExtensionNumbers(const std::string& type, ServerReflectionResponse& response) {
  if (DescriptorPool::generated_pool()->FindMessageTypeByName(type) == nullptr) {
    return SetError(absl::StatusCode::kNotFound, fmt::format("there is no '{}'", type), response);
  }
  response.mutable_all_extension_numbers_response()->set_base_type_name(type);
}

void ListServices(ServiceNames services, ServerReflectionResponse& response) {
  for (std::string_view name : services) {
    response.mutable_list_services_response()->add_service()->set_name(std::string(name));
  }
}

void Fill(const ServerReflectionRequest& request, ServiceNames services,
          ServerReflectionResponse& response) {
  const DescriptorPool* pool = DescriptorPool::generated_pool();
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      return SetFile(pool->FindFileByName(request.file_by_filename()), request.file_by_filename(),
                     response);
    case ServerReflectionRequest::kFileContainingSymbol:
      return SetFile(pool->FindFileContainingSymbol(request.file_containing_symbol()),
                     request.file_containing_symbol(), response);
    case ServerReflectionRequest::kFileContainingExtension:
      return SetError(absl::StatusCode::kNotFound, "there are no extensions", response);
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      return SetExtensionNumbers(request.all_extension_numbers_of_type(), response);
    case ServerReflectionRequest::kListServices:
      return ListServices(services, response);
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      return SetError(absl::StatusCode::kInvalidArgument, "the request asks for nothing", response);
  }
}

// One question after the other; the next is read when the answer to the last is on its way.
void AnswerNext(const std::shared_ptr<ServerCall>& call, ServiceNames services) {
  call->Read([call, services](std::optional<std::string> request) {
    if (!request.has_value()) return call->Finish(absl::OkStatus());
    if (call->Send(AnswerReflection(*request, services))) return AnswerNext(call, services);
    call->OnWritable([call, services] { AnswerNext(call, services); });
  });
}

// Named once, so that the linker keeps the descriptors of every public service and generated_pool()
// knows them.
void LinkDescriptors() {
  static const bool kLinked = [] {
    v1::ListNodesRequest::descriptor();
    v1::ErrorDetail::descriptor();
    v1::GetRequest::descriptor();
    v1::ListSpacesRequest::descriptor();
    grpc::health::v1::HealthCheckRequest::descriptor();
    grpc::reflection::v1alpha::ServerReflectionRequest::descriptor();
    return true;
  }();
  static_cast<void>(kLinked);
}

}  // namespace

std::string AnswerReflection(const std::string& bytes, ServiceNames services) {
  LinkDescriptors();
  ServerReflectionRequest request;
  ServerReflectionResponse response;
  if (!request.ParseFromString(bytes)) {
    SetError(absl::StatusCode::kInvalidArgument, "the bytes are not a valid request", response);
    return response.SerializeAsString();
  }
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  Fill(request, services, response);
  return response.SerializeAsString();
}

void AddReflectionService(net::Server& server, ServiceNames services) {
  for (std::string_view version : {"v1", "v1alpha"}) {
    server.AddStream(
        fmt::format("/grpc.reflection.{}.ServerReflection/ServerReflectionInfo", version),
        [services](ServerCall call) {
          AnswerNext(std::make_shared<ServerCall>(std::move(call)), services);
        });
  }
}

}  // namespace engram::server
