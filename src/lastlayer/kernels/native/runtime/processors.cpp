// How many processors this process may use: affinity, and the quota of its control groups.
#include "processors.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace lastlayer {
namespace {

int available_processors() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

// The number of processors that one group's files grant, 0 without a limit.
double quota_of(const std::string& folder, bool is_first_version) {
  double limit = 0.0, period = 0.0;
  if (is_first_version) {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> limit;
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  } else {
    // Without a limit the file says "max 100000", and reading the number fails.
    std::ifstream(folder + "/cpu.max") >> limit >> period;
  }
  return limit > 0.0 && period > 0.0 ? limit / period : 0.0;
}

// The smallest quota of a group and its ancestors. A container may not see the path that the host gave its group; then
// its group is the root.
double smallest_quota(const std::string& root, std::string path, bool is_first_version) {
  double smallest = 0.0;
  for (;;) {
    const double quota = quota_of(root + path, is_first_version);
    if (quota > 0.0 && (smallest == 0.0 || quota < smallest)) smallest = quota;
    if (path.empty()) return smallest;
    path.erase(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

}  // namespace

int most_threads() { return std::max(64, 4 * available_processors()); }

int granted_processors(const char* root, const char* membership) {
  double smallest = 0.0;
  const auto include = [&](double quota) {
    if (quota > 0.0 && (smallest == 0.0 || quota < smallest)) smallest = quota;
  };
  std::ifstream groups(membership);
  for (std::string line; std::getline(groups, line);) {
    // "0::/path" of version 2; "4:cpu,cpuacct:/path" of version 1.
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",",
                      path = line.substr(second + 1);
    const std::string inside = path == "/" ? "" : path;
    if (controllers == ",,") include(smallest_quota(root, inside, false));
    if (controllers.find(",cpu,") != std::string::npos)
      include(smallest_quota(std::string(root) + "/cpu", inside, true));
  }
  return smallest > 0.0 ? std::max(1, int(smallest + 0.5)) : 0;
}

int default_threads() {
  if (const char* given = std::getenv("OMP_NUM_THREADS")) {
    const long threads = std::strtol(given, nullptr, 10);
    if (threads >= 1) return int(std::min<long>(threads, most_threads()));
  }
  const int granted = granted_processors("/sys/fs/cgroup", "/proc/self/cgroup");
  return std::min(granted ? std::min(granted, available_processors()) : available_processors(), most_threads());
}

}  // namespace lastlayer
