// Runs one kernel of translated PTX on a buffer, for tests of the emulation.
//
//   run-kernel LIBRARY KERNEL BLOCKS THREADS SHARED_BYTES ascending|descending < before > after
//
// The kernel has one parameter, the address of the buffer, which is read from stdin and written to stdout afterwards.
// The launch is cooperative. If it fails, the problem is printed on stderr and the exit code is 1.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "translated_kernel.h"

using namespace eigenae::emulation;

namespace {

[[noreturn]] void giveUp(const std::string& problem) {
  std::fprintf(stderr, "%s\n", problem.c_str());
  std::exit(1);
}

const TranslatedKernel& find(const TranslatedModule& module, const std::string& name) {
  for (unsigned i = 0; i < module.count; ++i)
    if (module.kernels[i].name == name) return module.kernels[i];
  giveUp("no kernel is called " + name);
}

unsigned number(const char* text) { return static_cast<unsigned>(std::strtoul(text, nullptr, 10)); }

}  // namespace

int main(int count, char** arguments) {
  if (count != 7) giveUp("run-kernel LIBRARY KERNEL BLOCKS THREADS SHARED_BYTES ORDER");
  void* const library = dlopen(arguments[1], RTLD_NOW);
  if (library == nullptr) giveUp(dlerror());
  const auto load = reinterpret_cast<decltype(&eigenae_translated_module)>(dlsym(library, "eigenae_translated_module"));
  const TranslatedModule module = load();
  std::vector<std::uint64_t> buffer;  // aligned as a card's memory for every element
  std::size_t bytes = 0;
  for (int byte; (byte = std::getchar()) != EOF; ++bytes) {
    if (bytes % 8 == 0) buffer.push_back(0);
    reinterpret_cast<unsigned char*>(buffer.data())[bytes] = static_cast<unsigned char>(byte);
  }
  const std::uint64_t address = ptx::addressOf(buffer.data());
  const Grid grid{number(arguments[3]), number(arguments[4]), number(arguments[5]), true};
  const Order order = std::string(arguments[6]) == "descending" ? Order::descending : Order::ascending;
  const LaunchResult result = module.launch(find(module, arguments[2]), grid, &address, order);
  if (result.outcome != Outcome::completed) giveUp(result.problem);
  std::fwrite(buffer.data(), 1, bytes, stdout);
}
