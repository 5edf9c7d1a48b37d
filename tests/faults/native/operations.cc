// Preloaded by LD_PRELOAD into a process and its children. Counts their file operations and makes the Nth one fail: the
// process is killed before it or in the middle of a write, the operation returns an error, or the disk loses its power.
//
//   FAULTS_FOLDER   only files under this folder count
//   FAULTS_COUNTER  a file of 8 bytes, shared by all processes: the number of operations so far
//   FAULTS_AT       the number of the operation that fails, from 1 on; 0 only counts
//   FAULTS_ACTION   kill, half (write a half, then kill), cut (the power), or a number of errno
//   FAULTS_SCOPE    changes (operations that alter the disk) or all (reads too)
//   FAULTS_LASTING  1: all later operations fail, too
//   FAULTS_DISK     for cut: the mount point, and FAULTS_CUT the flag of EXT4_IOC_SHUTDOWN
//   FAULTS_COMMIT   the operation before which another process syncs a file, which makes ext4 commit all names
//   FAULTS_LOG      the file for a line about the operation that failed
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr unsigned long kShutdown = 0x8004587d;  // EXT4_IOC_SHUTDOWN

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

template <typename Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

struct Faults {
  const char* folder = variable("FAULTS_FOLDER");
  size_t folderLength = std::strlen(folder);
  bool all = std::strcmp(variable("FAULTS_SCOPE"), "all") == 0;
  bool lasting = std::strcmp(variable("FAULTS_LASTING"), "1") == 0;
  uint64_t commit = std::strtoull(variable("FAULTS_COMMIT"), nullptr, 10);
  uint64_t at = std::strtoull(variable("FAULTS_AT"), nullptr, 10);
  const char* action = variable("FAULTS_ACTION");
  std::atomic<uint64_t>* counter = openCounter();

  static std::atomic<uint64_t>* openCounter() {
    using Open = int (*)(const char*, int, ...);
    const int file = real<Open>("open")(variable("FAULTS_COUNTER"), O_RDWR);
    if (file < 0) return nullptr;
    void* memory = mmap(nullptr, 8, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return memory == MAP_FAILED ? nullptr : static_cast<std::atomic<uint64_t>*>(memory);
  }

  bool counts(const char* path) const {
    return counter != nullptr && folderLength > 0 && path != nullptr && std::strncmp(path, folder, folderLength) == 0;
  }
};

const Faults& faults() {
  static const Faults instance;
  return instance;
}

/** Returns the path of an open file, empty for pipes and sockets, which are not counted. */
struct PathOf {
  char text[4096];
  explicit PathOf(int file) {
    char link[64];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const ssize_t length = readlink(link, text, sizeof text - 1);
    text[length < 0 ? 0 : length] = 0;
  }
};

void log(const char* name, const char* path, uint64_t number) {
  using Open = int (*)(const char*, int, ...);
  using Write = ssize_t (*)(int, const void*, size_t);
  char line[4300];
  const int length =
      std::snprintf(line, sizeof line, "%llu %s %s\n", static_cast<unsigned long long>(number), name, path);
  const int file = real<Open>("open")(variable("FAULTS_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (file < 0) return;
  if (real<Write>("write")(file, line, length) < 0) std::abort();
  close(file);
}

[[noreturn]] void die() {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

void cutPower() {
  using Open = int (*)(const char*, int, ...);
  const int disk = real<Open>("open")(variable("FAULTS_DISK"), O_RDONLY);
  const uint32_t flag = std::atoi(variable("FAULTS_CUT"));
  if (disk < 0 || ioctl(disk, kShutdown, &flag) != 0) std::abort();
}

void commitNames() {
  using Open = int (*)(const char*, int, ...);
  char path[4300];
  std::snprintf(path, sizeof path, "%s/neighbour", variable("FAULTS_DISK"));
  const int file = real<Open>("open")(path, O_WRONLY | O_CREAT, 0644);
  if (file < 0 || ftruncate(file, 1) != 0 || real<int (*)(int)>("fsync")(file) != 0) std::abort();
  close(file);
}

enum class Verdict { pass, fail, half };

/** Counts an operation and makes it fail if it is the chosen one. Sets errno if it fails. */
Verdict judge(const char* name, const char* path, bool changes) {
  const Faults& fault = faults();
  if (!fault.counts(path) || !(changes || fault.all)) return Verdict::pass;
  const uint64_t number = fault.counter->fetch_add(1) + 1;
  if (number == fault.commit) commitNames();
  const bool due = fault.at != 0 && (number == fault.at || (fault.lasting && number > fault.at));
  if (!due) return Verdict::pass;
  log(name, path, number);
  if (std::strcmp(fault.action, "half") == 0) return Verdict::half;
  if (std::strcmp(fault.action, "kill") == 0) die();
  if (std::strcmp(fault.action, "cut") == 0) {
    cutPower();
    die();
  }
  errno = std::atoi(fault.action);
  return Verdict::fail;
}

/** Operations other than writes cannot be done by half and are not started. */
bool fails(const char* name, const char* path, bool changes = true) {
  const Verdict verdict = judge(name, path, changes);
  if (verdict == Verdict::half) die();
  return verdict == Verdict::fail;
}

}  // namespace

extern "C" {

#define FAULTS_OPEN(name)                                                  \
  int name(const char* path, int flags, ...) {                             \
    va_list list;                                                          \
    va_start(list, flags);                                                 \
    const mode_t mode = va_arg(list, int);                                 \
    va_end(list);                                                          \
    const bool changes = (flags & (O_CREAT | O_TRUNC)) != 0;               \
    if (fails(#name, path, changes)) return -1;                            \
    return real<int (*)(const char*, int, ...)>(#name)(path, flags, mode); \
  }
FAULTS_OPEN(open)
FAULTS_OPEN(open64)

#define FAULTS_WRITE(name, parameters, arguments, halfArguments) \
  ssize_t name parameters {                                      \
    const PathOf path(file);                                     \
    const auto write = real<ssize_t(*) parameters>(#name);       \
    const Verdict verdict = judge(#name, path.text, true);       \
    if (verdict == Verdict::fail) return -1;                     \
    if (verdict == Verdict::half) {                              \
      write halfArguments;                                       \
      die();                                                     \
    }                                                            \
    return write arguments;                                      \
  }
FAULTS_WRITE(write, (int file, const void* bytes, size_t count), (file, bytes, count), (file, bytes, count / 2))
FAULTS_WRITE(pwrite, (int file, const void* bytes, size_t count, off_t at), (file, bytes, count, at),
             (file, bytes, count / 2, at))
FAULTS_WRITE(pwrite64, (int file, const void* bytes, size_t count, off64_t at), (file, bytes, count, at),
             (file, bytes, count / 2, at))
FAULTS_WRITE(writev, (int file, const iovec* parts, int count), (file, parts, count), (file, parts, count / 2))
FAULTS_WRITE(pwritev, (int file, const iovec* parts, int count, off_t at), (file, parts, count, at),
             (file, parts, count / 2, at))
FAULTS_WRITE(pwritev64, (int file, const iovec* parts, int count, off64_t at), (file, parts, count, at),
             (file, parts, count / 2, at))

#define FAULTS_READ(name, parameters, arguments)         \
  ssize_t name parameters {                              \
    const PathOf path(file);                             \
    if (fails(#name, path.text, false)) return -1;       \
    return real<ssize_t(*) parameters>(#name) arguments; \
  }
FAULTS_READ(read, (int file, void* bytes, size_t count), (file, bytes, count))
FAULTS_READ(pread, (int file, void* bytes, size_t count, off_t at), (file, bytes, count, at))
FAULTS_READ(pread64, (int file, void* bytes, size_t count, off64_t at), (file, bytes, count, at))
FAULTS_READ(readv, (int file, const iovec* parts, int count), (file, parts, count))
FAULTS_READ(preadv, (int file, const iovec* parts, int count, off_t at), (file, parts, count, at))
FAULTS_READ(preadv64, (int file, const iovec* parts, int count, off64_t at), (file, parts, count, at))

// `path` is the one that the operation creates or removes.
#define FAULTS_PATH(name, parameters, arguments, path) \
  int name parameters {                                \
    if (fails(#name, path)) return -1;                 \
    return real<int(*) parameters>(#name) arguments;   \
  }
FAULTS_PATH(rename, (const char* from, const char* to), (from, to), to)
FAULTS_PATH(link, (const char* from, const char* to), (from, to), to)
FAULTS_PATH(symlink, (const char* target, const char* file), (target, file), file)
FAULTS_PATH(unlink, (const char* file), (file), file)
FAULTS_PATH(rmdir, (const char* folder), (folder), folder)
FAULTS_PATH(mkdir, (const char* folder, mode_t mode), (folder, mode), folder)

#define FAULTS_FILE(name, parameters, arguments)     \
  int name parameters {                              \
    const PathOf path(file);                         \
    if (fails(#name, path.text)) return -1;          \
    return real<int(*) parameters>(#name) arguments; \
  }
FAULTS_FILE(ftruncate, (int file, off_t size), (file, size))
FAULTS_FILE(ftruncate64, (int file, off64_t size), (file, size))
FAULTS_FILE(fsync, (int file), (file))
FAULTS_FILE(fdatasync, (int file), (file))

#define FAULTS_SCANDIR(name, entry)                                                                            \
  int name(const char* folder, entry*** names, int (*filter)(const entry*),                                    \
           int (*compare)(const entry**, const entry**)) {                                                     \
    if (fails(#name, folder, false)) return -1;                                                                \
    using Scan = int (*)(const char*, entry***, int (*)(const entry*), int (*)(const entry**, const entry**)); \
    return real<Scan>(#name)(folder, names, filter, compare);                                                  \
  }
FAULTS_SCANDIR(scandir, dirent)
FAULTS_SCANDIR(scandir64, dirent64)

}  // extern "C"
