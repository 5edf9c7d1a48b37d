// C++ objects that JavaScript holds.
#pragma once

#include <node_api.h>

#include <array>
#include <memory>
#include <vector>

#include "values.h"

namespace eigenae::addon {

inline napi_property_descriptor methodProperty(const char* name, napi_callback method) {
  return {name, nullptr, method, nullptr, nullptr, nullptr, napi_default_method, nullptr};
}

// Returns a JavaScript object with these methods, which keeps the C++ object alive. The tag identifies the type of this
// module, so that an object of another kind, or of another addon, is not mistaken for one.
template <typename T>
napi_value wrap(napi_env env, const napi_type_tag& tag, std::shared_ptr<T> object,
                const std::vector<napi_property_descriptor>& methods) {
  const napi_value value = newObject(env);
  check(env, napi_define_properties(env, value, methods.size(), methods.data()));
  auto owned = std::make_unique<std::shared_ptr<T>>(std::move(object));
  const auto destroy = [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<T>*>(data); };
  check(env, napi_wrap(env, value, owned.get(), destroy, nullptr, nullptr));
  owned.release();
  check(env, napi_type_tag_object(env, value, &tag));
  return value;
}

// Returns whether a value is an object that `wrap` made with this tag.
inline bool isWrapped(napi_env env, const napi_type_tag& tag, napi_value value) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  bool is = false;
  if (type == napi_object) check(env, napi_check_object_type_tag(env, value, &tag, &is));
  return is;
}

template <typename T>
std::shared_ptr<T> unwrap(napi_env env, const napi_type_tag& tag, napi_value value, const char* name,
                          const char* expected) {
  if (!isWrapped(env, tag, value)) Argument(env, value, name).refuseType(expected);
  void* data;
  check(env, napi_unwrap(env, value, &data));
  return *static_cast<std::shared_ptr<T>*>(data);
}

// A call of a method of an object that `wrap` made.
template <typename T>
struct MethodCall {
  napi_env env;
  napi_value self;
  std::array<napi_value, 4> arguments;
  std::shared_ptr<T> session;

  Argument argument(std::size_t index, const char* name) const { return {env, arguments[index], name}; }
};

// The callback of a method. T::noun names the object in the error that a call on another object throws.
template <typename T, const napi_type_tag& tag, napi_value (*method)(const MethodCall<T>&)>
napi_value methodCallback(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    MethodCall<T> call{env, nullptr, {}, nullptr};
    std::size_t count = call.arguments.size();
    check(env, napi_get_cb_info(env, info, &count, call.arguments.data(), &call.self, nullptr));
    call.session = unwrap<T>(env, tag, call.self, "this", T::noun);
    return method(call);
  });
}

}  // namespace eigenae::addon
