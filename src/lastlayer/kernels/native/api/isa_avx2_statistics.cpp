#define LASTLAYER_ISA avx2
#include "statistics_entry.hpp"
