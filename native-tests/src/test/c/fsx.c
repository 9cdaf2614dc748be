// SPDX-License-Identifier: Apache-2.0
//
// Random operations on one file against a plain array:
//
//   fsx FILE MODEL SEED OPERATIONS MAXIMUM [GRANULARITY]
//
// MODEL is a plain file: what FILE must hold now, and what it must hold afterwards is written back to it. Without
// GRANULARITY the file keeps its length as a block device does; with it the file is resizable up to MAXIMUM bytes, and
// its length is rounded up to a multiple of GRANULARITY, 1 for a plain file.
// Exit code 0: all agreed. 1: not, and standard output says the seed, the operation and the last ones before it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST = 96 << 10, PAGE = 4096, REMEMBERED = 30, LINE = 120 };

static const char *path;
static const char *model_path;
static uint64_t seed;
static long maximum;
static long granularity; // 0: the length is fixed

static unsigned char *model;
static long length;
static unsigned char *buffer;
static int fd = -1;

static uint64_t state;
static long operation;
static char history[REMEMBERED][LINE];

static uint64_t next_random(void) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * UINT64_C(2685821657736338717);
}

static long below(long bound) { return bound <= 0 ? 0 : (long)(next_random() % (uint64_t)bound); }

static long smaller(long a, long b) { return a < b ? a : b; }

static void remember(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(history[operation % REMEMBERED], LINE, format, arguments);
  va_end(arguments);
}

static void fail(const char *format, ...) {
  va_list arguments;
  printf("fsx seed %llu operation %ld: ", (unsigned long long)seed, operation);
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  printf("\nthe last operations:\n");
  for (long i = operation - REMEMBERED + 1; i <= operation; i++) {
    if (i >= 0) printf("  %ld %s\n", i, history[i % REMEMBERED]);
  }
  exit(1);
}

static void open_file(int flags) {
  if (fd >= 0 && close(fd) != 0) fail("close: %s", strerror(errno));
  fd = open(path, O_RDWR | flags);
  if (fd < 0) fail("open: %s", strerror(errno));
}

// Short sizes are common, the long ones must come too; edges of blocks, clusters and the file more than by chance.
static long some_length(void) {
  switch (below(4)) {
    case 0: return 1 + below(32);
    case 1: return 1 + below(4 * PAGE);
    case 2: return 512 * (1 + below(64));
    default: return 1 + below(LONGEST);
  }
}

static long some_offset(long bound) {
  long offset = below(bound);
  switch (below(4)) {
    case 0: return offset / PAGE * PAGE;
    case 1: return offset / 512 * 512;
    case 2: return below(8) ? offset : bound - smaller(bound, below(2 * PAGE));
    default: return offset;
  }
}

static void compare(long offset, const unsigned char *actual, long count, const char *how) {
  if (memcmp(model + offset, actual, count) == 0) return;
  long i = 0;
  while (model[offset + i] == actual[i]) i++;
  long end = i;
  while (end < count && model[offset + end] != actual[end]) end++;
  fail("%s at %ld: byte %ld (0x%lx) is 0x%02x, not 0x%02x; %ld wrong bytes in a row", how, offset, offset + i,
       offset + i, actual[i], model[offset + i], end - i);
}

static void fill(long count) {
  if (below(8) == 0) {
    memset(buffer, 0, count);
    return;
  }
  uint64_t word = next_random() | UINT64_C(0x0101010101010101); // no zero byte: a lost write shows
  for (long i = 0; i < count; i++) buffer[i] = (unsigned char)((word >> (i % 8 * 8)) + (i >> 3)) | 1;
}

static void grow_to(long end) {
  if (granularity) end = (end + granularity - 1) / granularity * granularity;
  if (end <= length) return;
  memset(model + length, 0, end - length);
  length = end;
}

static void do_read(int direct) {
  long count = some_length();
  long offset = some_offset(length + 1);
  remember("%s %ld+%ld", direct ? "direct read" : "read", offset, count);
  if (direct) {
    offset = offset / PAGE * PAGE;
    count = (count + PAGE - 1) / PAGE * PAGE;
    open_file(O_DIRECT);
  }
  long want = offset > length ? 0 : smaller(count, length - offset);
  long got = pread(fd, buffer, count, offset);
  if (got != want) fail("read %ld+%ld gave %ld, not %ld: %s", offset, count, got, want, got < 0 ? strerror(errno) : "");
  compare(offset, buffer, got, "read");
  if (direct) open_file(0);
}

static void do_write(int direct) {
  long count = some_length();
  long offset = some_offset(granularity ? maximum : length + PAGE);
  if (direct) {
    offset = offset / PAGE * PAGE;
    count = (count + PAGE - 1) / PAGE * PAGE;
  }
  if (granularity) count = smaller(count, maximum - offset);
  if (count <= 0) return;
  remember("%s %ld+%ld", direct ? "direct write" : "write", offset, count);
  fill(count);
  if (direct) open_file(O_DIRECT);
  long got = pwrite(fd, buffer, count, offset);
  int error = errno;
  if (granularity == 0 && offset >= length) {
    if (got != -1 || error != EFBIG) fail("write past the end gave %ld: %s", got, strerror(error));
  } else {
    long want = granularity ? count : smaller(count, length - offset);
    // With O_DIRECT Linux may hand a write on as an asynchronous one; EIO is what it makes of a short one.
    int cut_short = direct && want < count && got == -1 && error == EIO;
    if (got != want && !cut_short) fail("write %ld+%ld gave %ld, not %ld: %s", offset, count, got, want, strerror(error));
    grow_to(offset + want);
    memcpy(model + offset, buffer, want);
  }
  if (direct) open_file(0);
}

static void do_map(int write) {
  if (length == 0) return;
  long offset = below(length);
  long count = smaller(some_length(), length - offset);
  long start = offset / PAGE * PAGE;
  long mapped = offset - start + count;
  remember("%s %ld+%ld", write ? "mmap write" : "mmap read", offset, count);
  unsigned char *map = mmap(NULL, mapped, write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, start);
  if (map == MAP_FAILED) fail("mmap: %s", strerror(errno));
  if (write) {
    fill(count);
    memcpy(map + (offset - start), buffer, count);
    memcpy(model + offset, buffer, count);
    if (below(2) && msync(map, mapped, MS_SYNC) != 0) fail("msync: %s", strerror(errno));
  } else {
    compare(offset, map + (offset - start), count, "mmap read");
  }
  if (munmap(map, mapped) != 0) fail("munmap: %s", strerror(errno));
}

static void do_zero(void) {
  int punch = (int)below(2);
  int keep_size = punch || granularity == 0 || below(2);
  long offset = some_offset(length + 1);
  long count = some_length() * (1 + below(4));
  count = smaller(count, (keep_size ? length : maximum) - offset);
  if (count <= 0) return;
  remember("%s%s %ld+%ld", punch ? "punch" : "zero range", keep_size ? " keep size" : "", offset, count);
  int mode = (punch ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE) | (keep_size ? FALLOC_FL_KEEP_SIZE : 0);
  if (fallocate(fd, mode, offset, count) != 0) fail("fallocate mode %d: %s", mode, strerror(errno));
  grow_to(offset + count);
  memset(model + offset, 0, count);
}

static void do_reserve(void) {
  int keep_size = granularity == 0 || below(2);
  long offset = some_offset(length + 1);
  long count = smaller(some_length(), (keep_size ? length : maximum) - offset);
  if (count <= 0) return;
  remember("reserve%s %ld+%ld", keep_size ? " keep size" : "", offset, count);
  if (fallocate(fd, keep_size ? FALLOC_FL_KEEP_SIZE : 0, offset, count) != 0) fail("fallocate: %s", strerror(errno));
  grow_to(offset + count);
}

static void check_length(void) {
  struct stat status;
  if (fstat(fd, &status) != 0) fail("fstat: %s", strerror(errno));
  if (status.st_size != length) fail("st_size is %ld, not %ld", (long)status.st_size, length);
}

static void do_sync(void) {
  int data_only = (int)below(2);
  remember(data_only ? "fdatasync" : "fsync");
  if ((data_only ? fdatasync(fd) : fsync(fd)) != 0) fail("fsync: %s", strerror(errno));
}

static void do_reopen(void) {
  int empty = below(20) == 0;
  remember(empty ? "reopen with O_TRUNC" : "reopen");
  open_file(empty ? O_TRUNC : 0);
  if (empty && granularity) length = 0;
  // The kernel takes O_TRUNC for done, and a mapping has no bytes until it has asked for the length again.
  if (empty) check_length();
}

static void do_truncate(void) {
  long to = below(maximum + 1);
  remember("truncate %ld", to);
  int result = ftruncate(fd, to);
  if (granularity == 0) {
    if (to != length && (result != -1 || errno != EPERM)) fail("truncate gave %d: %s", result, strerror(errno));
    return;
  }
  if (result != 0) fail("truncate: %s", strerror(errno));
  length = smaller(length, to);
  grow_to(to);
}

// What lies before the answer of SEEK_DATA must be zeros; "no data" is allowed only if that holds to the end.
static void do_seek(void) {
  if (length == 0) return;
  long offset = below(length);
  remember("seek data %ld", offset);
  long data = lseek(fd, offset, SEEK_DATA);
  if (data < 0 && errno != ENXIO) fail("SEEK_DATA: %s", strerror(errno));
  long end = data < 0 ? length : data;
  for (long i = offset; i < end; i++) {
    if (model[i] != 0) fail("SEEK_DATA %ld gave %ld, but there is data at %ld", offset, data, i);
  }
}

static void step(void) {
  long dice = below(1000);
  if (dice < 300) do_read(0);
  else if (dice < 600) do_write(0);
  else if (dice < 620) do_read(1);
  else if (dice < 640) do_write(1);
  else if (dice < 720) do_map(0);
  else if (dice < 800) do_map(1);
  else if (dice < 880) do_zero();
  else if (dice < 910) do_reserve();
  else if (dice < 925) do_sync();
  else if (dice < 950) do_seek();
  else if (dice < 970) do_reopen();
  else if (dice < 985) do_truncate();
  else check_length();
}

static void check_all(void) {
  remember("read all");
  open_file(0);
  check_length();
  for (long offset = 0; offset < length;) {
    long got = pread(fd, buffer, LONGEST, offset);
    if (got <= 0) fail("read at %ld gave %ld: %s", offset, got, strerror(errno));
    compare(offset, buffer, got, "read");
    offset += got;
  }
}

static void load_model(void) {
  FILE *file = fopen(model_path, "r");
  if (!file) fail("%s: %s", model_path, strerror(errno));
  length = (long)fread(model, 1, maximum, file);
  fclose(file);
}

static void save_model(void) {
  FILE *file = fopen(model_path, "w");
  if (!file || (long)fwrite(model, 1, length, file) != length || fclose(file) != 0) {
    fail("%s: %s", model_path, strerror(errno));
  }
}

int main(int count, char **arguments) {
  if (count < 6) {
    fprintf(stderr, "usage: fsx FILE MODEL SEED OPERATIONS MAXIMUM [GRANULARITY]\n");
    return 2;
  }
  path = arguments[1];
  model_path = arguments[2];
  seed = strtoull(arguments[3], NULL, 10);
  long operations = atol(arguments[4]);
  maximum = atol(arguments[5]);
  granularity = count > 6 ? atol(arguments[6]) : 0;
  state = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
  model = malloc(maximum + LONGEST);
  if (!model || posix_memalign((void **)&buffer, PAGE, 2 * LONGEST) != 0) return 2;
  load_model();
  check_all();
  for (operation = 0; operation < operations; operation++) step();
  check_all();
  save_model();
  return 0;
}
