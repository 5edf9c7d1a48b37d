// Conversions between JavaScript values and C++. A failed Node-API call becomes an exception.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <exception>
#include <string>
#include <vector>

namespace eigenae::addon {

// Throws std::runtime_error with Node's own message unless status is napi_ok.
void check(napi_env env, napi_status status);

// The other way round: throws an Error in JavaScript. Its code is ENOMEM where there was not enough memory,
// EAGAIN where the machine did not start a thread.
void throwInJavaScript(napi_env env, const std::exception& exception);

napi_value property(napi_env env, napi_value object, const char* name);
std::vector<napi_value> elements(napi_env env, napi_value array);
std::vector<std::string> propertyNames(napi_env env, napi_value object);

double toDouble(napi_env env, napi_value value);
bool toBool(napi_env env, napi_value value);
std::string toString(napi_env env, napi_value value);
bool isNull(napi_env env, napi_value value);

// The memory of a typed array, which stays where it is as long as the array lives.
struct TypedArray {
  napi_typedarray_type type;
  std::size_t length;  // in elements
  void* data;

  template <typename Element>
  Element* as() const {
    return static_cast<Element*>(data);
  }
};

TypedArray typedArray(napi_env env, napi_value value);
napi_value newFloat32Array(napi_env env, std::size_t length);
std::vector<float> toFloats(napi_env env, napi_value float32Array);
napi_value fromFloats(napi_env env, const std::vector<float>& values);
napi_value fromDouble(napi_env env, double value);

napi_value newObject(napi_env env);
void setProperty(napi_env env, napi_value object, const char* name, napi_value value);

}  // namespace eigenae::addon
