#include "memory.hpp"

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <new>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace lastlayer {
namespace {

// A huge page of x86-64 and of most of AArch64: whole ones cost one fault each, and need few entries in the processor's tables.
constexpr size_t unit = size_t(2) << 20;

#if defined(MADV_FREE)

Region map_region(size_t size) {
  // More than asked for, so that the part kept can begin at a huge page.
  const size_t wide = size + unit;
  char* start = static_cast<char*>(mmap(nullptr, wide, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (start == MAP_FAILED) throw std::bad_alloc();
  const size_t before = (unit - reinterpret_cast<uintptr_t>(start) % unit) % unit, after = unit - before;
  if (before) munmap(start, before);
  if (after) munmap(start + before + size, after);
#if defined(MADV_HUGEPAGE)
  madvise(start + before, size, MADV_HUGEPAGE);
#endif
  return {start + before, size};
}

void unmap_region(Region region) { munmap(region.data, region.size); }

// From now until the next write the pages are the operating system's to take. False where it does not know how.
bool offer_pages(Region region) { return madvise(region.data, region.size, MADV_FREE) == 0; }

size_t physical_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
  return pages > 0 && bytes > 0 ? size_t(pages) * size_t(bytes) : 0;
}

#else

Region map_region(size_t size) {
  void* data = std::malloc(size);
  if (!data) throw std::bad_alloc();
  return {data, size};
}

void unmap_region(Region region) { std::free(region.data); }
bool offer_pages(Region) { return false; }
size_t physical_memory() { return 0; }

#endif

size_t limit_given() {
  if (const char* given = std::getenv("LASTLAYER_KEPT_MEMORY")) {
    char* end = nullptr;
    const unsigned long long bytes = std::strtoull(given, &end, 10);
    if (end != given && *end == '\0') return size_t(bytes);
  }
  return physical_memory() / 8;
}

// Callers hold Python's lock, so that no fork finds this one locked by a thread that the child has not.
std::mutex guard;
// The oldest first. Never freed: an array may outlive whatever is taken down when the process ends.
std::deque<Region>& kept = *new std::deque<Region>;
size_t total = 0;

}  // namespace

size_t kept_limit() {
  static const size_t limit = limit_given();
  return limit;
}

size_t kept_bytes() {
  std::lock_guard<std::mutex> lock(guard);
  return total;
}

Region take_region(size_t size) {
  if (size > SIZE_MAX / 2) throw std::bad_alloc();
  size = (size + unit - 1) / unit * unit;
  {
    std::lock_guard<std::mutex> lock(guard);
    auto best = kept.end();
    for (auto it = kept.begin(); it != kept.end(); ++it) {
      // A much larger one would hide how much memory the result takes.
      const bool fits = it->size >= size && it->size <= size + size / 4;
      if (fits && (best == kept.end() || it->size <= best->size)) best = it;
    }
    if (best != kept.end()) {
      const Region found = *best;
      kept.erase(best);
      total -= found.size;
      return found;
    }
  }
  return map_region(size);
}

void return_region(Region region) noexcept {
  if (region.size > kept_limit() || !offer_pages(region)) return unmap_region(region);
  std::lock_guard<std::mutex> lock(guard);
  try {
    kept.push_back(region);
  } catch (...) {
    return unmap_region(region);
  }
  total += region.size;
  while (total > kept_limit()) {
    total -= kept.front().size;
    unmap_region(kept.front());
    kept.pop_front();
  }
}

}  // namespace lastlayer
