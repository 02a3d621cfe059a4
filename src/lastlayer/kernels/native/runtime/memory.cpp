#include "memory.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <string>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace lastlayer {
namespace {

// A huge page of x86-64 and most of AArch64. Whole ones take one page fault each, and few TLB entries.
constexpr size_t unit = size_t(2) << 20;

#if defined(MADV_FREE)

Region map_region(size_t size) {
  // Maps more than asked for, so that the region can begin at a huge page.
  const size_t wide = size + unit;
  char* start = static_cast<char*>(allocated([wide] {
    void* data = mmap(nullptr, wide, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return data == MAP_FAILED ? nullptr : data;
  }));
  const size_t before = (unit - reinterpret_cast<uintptr_t>(start) % unit) % unit, after = unit - before;
  if (before) munmap(start, before);
  if (after) munmap(start + before + size, after);
#if defined(MADV_HUGEPAGE)
  madvise(start + before, size, MADV_HUGEPAGE);
#endif
  return {start + before, size};
}

void unmap_region(Region region) { munmap(region.data, region.size); }

// Lets the operating system take the pages until they are written again. False if it cannot.
bool offer_pages(Region region) { return madvise(region.data, region.size, MADV_FREE) == 0; }

size_t physical_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
  return pages > 0 && bytes > 0 ? size_t(pages) * size_t(bytes) : 0;
}

// The limit of the process's address space. Kept regions count, even after the operating system took their pages.
size_t address_space() {
  rlimit limit;
  return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? size_t(limit.rlim_cur) : SIZE_MAX;
}

#else

Region map_region(size_t size) {
  return {allocated([size] { return std::malloc(size); }), size};
}

void unmap_region(Region region) { std::free(region.data); }
bool offer_pages(Region) { return false; }
size_t physical_memory() { return 0; }
size_t address_space() { return 0; }

#endif

// The value of LASTLAYER_KEPT_MEMORY, or `otherwise` if it is not set.
size_t limit_given(size_t otherwise) {
  const char* given = std::getenv("LASTLAYER_KEPT_MEMORY");
  if (!given || !*given) return otherwise;
  const std::string text = given;
  if (text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos)
    throw std::runtime_error("LASTLAYER_KEPT_MEMORY is '" + text +
                             "'; give a whole number of bytes, 0 to keep nothing, or unset it.");
  return size_t(std::stoull(text));
}

// Callers hold the GIL: a fork then never finds this lock held by a thread that the child does not have.
std::mutex guard;
// The oldest first. Never freed: an array may outlive everything that is destroyed at exit.
std::deque<Region>& kept = *new std::deque<Region>;
size_t total = 0;

}  // namespace

size_t kept_limit() {
  static const size_t given = limit_given(SIZE_MAX);
  return given != SIZE_MAX ? given : std::min(physical_memory(), address_space()) / 8;
}

bool give_up_kept() noexcept {
  std::lock_guard<std::mutex> lock(guard);
  const bool has_any = !kept.empty();
  for (const Region& region : kept) unmap_region(region);
  kept.clear();
  total = 0;
  return has_any;
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
      // A much larger region would hide how much memory the result takes.
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
