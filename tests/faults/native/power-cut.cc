// Cuts the power of a mounted ext4 disk: power-cut <mount point> <flag of EXT4_IOC_SHUTDOWN>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

int main(int, char** words) {
  const int disk = open(words[1], O_RDONLY);
  const uint32_t flag = std::atoi(words[2]);
  if (disk >= 0 && ioctl(disk, 0x8004587d, &flag) == 0) return 0;
  std::perror(words[1]);
  return 1;
}
