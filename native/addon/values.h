// Conversions between JavaScript values and C++. Arguments are checked here, once for each call; the core trusts them.
// Values that are read from JavaScript are copied, so that no getter, no other thread and no transfer of a buffer can
// change them afterwards. Bytes on shared memory need not be: it cannot be transferred, and data sets never change.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <vector>

namespace eigenae::addon {

// Throws unless status is napi_ok. An exception that is pending in JavaScript stays pending.
void check(napi_env env, napi_status status);

// Returns the code that an exception's Error has in JavaScript: ENOMEM if memory was short, EAGAIN if a thread could
// not be started, and a CudaError's own; null for any other.
const char* codeOf(const std::exception& exception);

// Throws a C++ exception in JavaScript, unless one is pending there. An ArgumentError becomes a TypeError or a
// RangeError. Any other becomes an Error.
void throwInJavaScript(napi_env env, const std::exception& exception);

// Runs the body of a callback from JavaScript. Exceptions are thrown there.
template <typename Body>
napi_value guarded(napi_env env, Body body) {
  try {
    return body();
  } catch (const std::exception& exception) {
    throwInJavaScript(env, exception);
    return nullptr;
  }
}

// A value from JavaScript and its name in messages, such as "spec.widths[2]". Each method throws an ArgumentError if
// the value has another type (a TypeError) or is out of bounds (a RangeError).
class Argument {
 public:
  Argument(napi_env env, napi_value value, std::string name) : env_(env), value_(value), name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  napi_value value() const { return value_; }
  bool isNull() const;  // null or undefined

  Argument property(const std::string& key) const;
  std::vector<Argument> elements(std::uint32_t min, std::uint32_t max) const;

  bool boolean() const;
  double number() const;  // must be finite
  std::int64_t integer(std::int64_t min, std::int64_t max) const;
  std::string text(std::size_t maximalBytes = 64) const;

  bool holdsFloats() const;  // whether it is a Float32Array
  bool isShared() const;     // whether it is a typed array on a SharedArrayBuffer
  std::vector<std::uint32_t> words() const;
  // The array must consist of whole rows of rowLength elements, which is checked before it is copied.
  std::vector<std::uint8_t> bytes(std::size_t rowLength) const;
  // The bytes of a shared array and their number. They stay valid while JavaScript keeps the array.
  const std::uint8_t* sharedBytes(std::size_t rowLength, std::size_t* length) const;
  std::vector<float> floats(std::size_t rowLength = 1) const;
  float* sharedFloats(std::size_t rowLength, std::size_t* length) const;  // likewise
  std::vector<double> doublesOrNaN(std::size_t rowLength) const;
  std::vector<double> doubles() const;                    // all finite
  std::vector<double> doubles(std::size_t length) const;  // exactly `length` of them

  [[noreturn]] void refuseType(const std::string& expected) const;
  [[noreturn]] void refuseValue(const std::string& expected) const;

 private:
  // Returns the memory of a typed array of whole rows, whose number of elements it writes to length.
  const void* elements(napi_typedarray_type type, const char* typeName, std::size_t unit, std::size_t* length) const;
  template <typename Element>
  std::vector<Element> copy(napi_typedarray_type type, const char* typeName, std::size_t unit) const;

  napi_env env_;
  napi_value value_;
  std::string name_;
};

// Must be called once for each environment, before typed arrays are created.
void keepConstructors(napi_env env);
// Creates an array through its constructor, which throws if memory is short. napi_create_arraybuffer would end the
// process.
napi_value newFloat32Array(napi_env env, std::size_t length, float** data);

napi_value fromIntegers(napi_env env, const std::vector<std::int32_t>& values);
napi_value fromDoubles(napi_env env, const std::vector<double>& values);
napi_value fromDouble(napi_env env, double value);
napi_value fromBoolean(napi_env env, bool value);
napi_value fromText(napi_env env, const std::string& text);
napi_value fromTexts(napi_env env, const std::vector<std::string>& texts);
napi_value fromNull(napi_env env);
napi_value undefined(napi_env env);
napi_value newObject(napi_env env);
void setProperty(napi_env env, napi_value object, const char* name, napi_value value);
void setFunction(napi_env env, napi_value object, const char* name, napi_callback function);

}  // namespace eigenae::addon
