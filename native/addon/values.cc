#include "values.h"

#include <cstring>
#include <new>
#include <stdexcept>
#include <system_error>

namespace eigenae::addon {

void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  const bool described = info != nullptr && info->error_message != nullptr;
  throw std::runtime_error(described ? info->error_message : "a Node-API call failed");
}

void throwInJavaScript(napi_env env, const std::exception& exception) {
  const char* code = nullptr;
  if (dynamic_cast<const std::bad_alloc*>(&exception) != nullptr) code = "ENOMEM";
  if (dynamic_cast<const std::system_error*>(&exception) != nullptr) code = "EAGAIN";
  napi_throw_error(env, code, exception.what());
}

napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value value;
  check(env, napi_get_named_property(env, object, name, &value));
  return value;
}

std::vector<napi_value> elements(napi_env env, napi_value array) {
  std::uint32_t length;
  check(env, napi_get_array_length(env, array, &length));
  std::vector<napi_value> values(length);
  for (std::uint32_t i = 0; i < length; ++i) check(env, napi_get_element(env, array, i, &values[i]));
  return values;
}

std::vector<std::string> propertyNames(napi_env env, napi_value object) {
  napi_value array;
  check(env, napi_get_property_names(env, object, &array));
  std::vector<std::string> names;
  for (napi_value name : elements(env, array)) names.push_back(toString(env, name));
  return names;
}

double toDouble(napi_env env, napi_value value) {
  double number;
  check(env, napi_get_value_double(env, value, &number));
  return number;
}

bool toBool(napi_env env, napi_value value) {
  bool truth;
  check(env, napi_get_value_bool(env, value, &truth));
  return truth;
}

std::string toString(napi_env env, napi_value value) {
  std::size_t length;
  check(env, napi_get_value_string_utf8(env, value, nullptr, 0, &length));
  std::string text(length, '\0');
  check(env, napi_get_value_string_utf8(env, value, &text[0], length + 1, &length));
  return text;
}

bool isNull(napi_env env, napi_value value) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  return type == napi_null || type == napi_undefined;
}

TypedArray typedArray(napi_env env, napi_value value) {
  TypedArray array;
  check(env, napi_get_typedarray_info(env, value, &array.type, &array.length, &array.data, nullptr, nullptr));
  return array;
}

napi_value newFloat32Array(napi_env env, std::size_t length) {
  napi_value buffer, array;
  check(env, napi_create_arraybuffer(env, length * sizeof(float), nullptr, &buffer));
  check(env, napi_create_typedarray(env, napi_float32_array, length, buffer, 0, &array));
  return array;
}

std::vector<float> toFloats(napi_env env, napi_value float32Array) {
  const TypedArray array = typedArray(env, float32Array);
  return std::vector<float>(array.as<float>(), array.as<float>() + array.length);
}

napi_value fromFloats(napi_env env, const std::vector<float>& values) {
  const napi_value array = newFloat32Array(env, values.size());
  if (!values.empty()) std::memcpy(typedArray(env, array).data, values.data(), values.size() * sizeof(float));
  return array;
}

napi_value fromDouble(napi_env env, double value) {
  napi_value number;
  check(env, napi_create_double(env, value, &number));
  return number;
}

napi_value newObject(napi_env env) {
  napi_value object;
  check(env, napi_create_object(env, &object));
  return object;
}

void setProperty(napi_env env, napi_value object, const char* name, napi_value value) {
  check(env, napi_set_named_property(env, object, name, value));
}

}  // namespace eigenae::addon
